import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { TaskPage } from "@samovar/protocol";
import { cpuMicroseconds, treeCpuMicroseconds } from "../process-usage.ts";
import { StandingServer } from "../targets/standing-server.ts";
import { nowUs, type JobReport } from "./job.ts";
import { queueOf, type Concurrency, type QueueSystem } from "./system.ts";

/** `samovar up` with a function for each queue, whose containers stay. */
export async function startSamovar(): Promise<SamovarSystem> {
  const server = await StandingServer.start();
  try {
    const read = (name: string): Promise<string> => readFile(new URL(name, import.meta.url), "utf8");
    await server.deploy(await read("samovar-app.ts"), [], { "job.ts": await read("job.ts") });
    return new SamovarSystem(server);
  } catch (error) {
    await server.stop();
    throw error;
  }
}

export class SamovarSystem implements QueueSystem {
  readonly name = "samovar" as const;
  readonly version = "of this checkout";
  readonly durability = "acknowledged after fsync, puts of many callers together; results are kept for days";
  readonly address;
  readonly #server: StandingServer;
  #queue = "";
  #containerPid = 0;
  #report: JobReport | null = null;

  constructor(server: StandingServer) {
    this.#server = server;
    this.address = { system: "samovar", url: server.url.href, token: server.token } as const;
  }

  async startWorker(concurrency: Concurrency): Promise<void> {
    this.#queue = queueOf(concurrency);
    const [container, ...others] = (await this.#server.containers(this.#queue)).filter(({ state }) => state === "ready");
    if (!container || others.length > 0) throw new Error(`One container should work for ${this.#queue}, and ${container ? others.length + 1 : 0} do`);
    this.#containerPid = container.pid!;
  }

  /** Its container stays, idle. */
  async stopWorker(): Promise<void> {}

  /** One more task asks the worker; its answer is pushed. What it can't know, that the server has the last ends, follows within a moment. */
  async untilDone(jobs: number): Promise<number> {
    const answer = await this.#server.request(`/taskqueue/${this.#queue}`, { prefer: "wait=300" }, { reportAfter: jobs });
    if (answer.status !== 200) throw new Error(`${this.#queue} has not done ${jobs} jobs: ${answer.status} ${await answer.text()}`);
    const open = `/api/v1/tasks?function=${this.#queue}&status=PENDING,RUNNING,RETRY&limit=1`;
    while (((await (await this.#server.request(open)).json()) as TaskPage).tasks.length > 0) await sleep(1);
    const doneUs = nowUs();
    this.#report = (await answer.json()) as JobReport;
    return doneUs;
  }

  /** Resolves when its worker has done so many, whatever waits: the task that asks goes first. */
  async untilRun(runs: number): Promise<void> {
    const answer = await this.#server.request(`/taskqueue/${this.#queue}`, { prefer: "wait=300", "x-samovar-priority": "24h" }, { reportAfter: runs });
    if (answer.status !== 200) throw new Error(`${this.#queue} has not run ${runs} jobs: ${answer.status} ${await answer.text()}`);
    await answer.body?.cancel();
  }

  async report(): Promise<JobReport> {
    return this.#report!;
  }

  cpuUs(): number {
    return cpuMicroseconds(this.#server.pid) + treeCpuMicroseconds(this.#containerPid);
  }

  /** What holds slots would hold up the end of the server, too. */
  async stop(): Promise<void> {
    const cancelled = await this.#server.request("/api/v1/tasks/cancel", {}, { app: "app", statuses: ["RUNNING"] });
    if (!cancelled.ok) throw new Error(`What runs was not cancelled: ${cancelled.status} ${await cancelled.text()}`);
    await this.#server.stop();
  }
}
