import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

type Method = (...args: never[]) => unknown;
export type Methods = Readonly<Record<string, Method>>;
export type Remote<M extends Methods> = { readonly [N in keyof M]: (...args: Parameters<M[N]>) => Promise<Awaited<ReturnType<M[N]>>> };

interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

type Reply = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: string };

/** A program of the bench in a process of its own, whose methods are called from here. */
export class Forked<M extends Methods> {
  readonly pid: number;
  readonly calls: Remote<M>;
  readonly #child: ChildProcess;
  readonly #open = new Map<number, PromiseWithResolvers<unknown>>();
  #lastId = 0;

  /** `file` is beside this one. */
  constructor(file: string, args: readonly string[]) {
    // Clean, as a container's: an inherited NODE_OPTIONS would change what is measured.
    const { PATH, HOME } = process.env;
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), args, { stdio: "inherit", env: { PATH, HOME, NODE_ENV: "production" } });
    this.pid = this.#child.pid!;
    this.#child.on("message", (reply: Reply) => {
      const call = this.#open.get(reply.id);
      this.#open.delete(reply.id);
      if ("error" in reply) call?.reject(new Error(`${file}: ${reply.error}`));
      else call?.resolve(reply.value);
    });
    this.#child.once("exit", (code, signal) => {
      for (const call of this.#open.values()) call.reject(new Error(`${file} ended with ${code ?? signal}`));
    });
    this.calls = new Proxy({} as Remote<M>, {
      get:
        (_, method: string) =>
        (...callArgs: unknown[]) =>
          this.#call(method, callArgs),
    });
  }

  #call(method: string, args: readonly unknown[]): Promise<unknown> {
    const call = Promise.withResolvers<unknown>();
    const id = ++this.#lastId;
    this.#open.set(id, call);
    this.#child.send({ id, method, args } satisfies Call);
    return call.promise;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.disconnect();
    await exited;
  }
}

/** Answers the calls of the process that forked this one, and ends with it. */
export function serve(methods: Methods): void {
  process.on("message", ({ id, method, args }: Call) => {
    Promise.try(methods[method] as (...args: unknown[]) => unknown, ...args).then(
      (value) => process.send!({ id, value } satisfies Reply),
      (error: unknown) => process.send!({ id, error: String((error as Error).stack ?? error) } satisfies Reply),
    );
  });
  process.once("disconnect", () => process.exit());
}
