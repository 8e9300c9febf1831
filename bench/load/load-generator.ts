import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { LoadJob, LoadReply, LoadResult } from "./load-job.ts";

/** The load client's process. One job at a time. */
export class LoadGenerator {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(fileURLToPath(new URL("load-client.ts", import.meta.url)), { execArgv: [], stdio: "inherit" });
  }

  /** Throws when a connection breaks or an answer is not the expected one: a wrong answer is no call. */
  async run(job: LoadJob): Promise<LoadResult> {
    const answered = once(this.#child, "message") as Promise<[LoadReply]>;
    this.#child.send(job);
    const [reply] = await answered;
    if ("error" in reply) throw new Error(reply.error);
    return reply.result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.disconnect();
    await exited;
  }
}
