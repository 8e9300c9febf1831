import { getCompileCacheDir } from "node:module";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import { SamovarError } from "@samovar/protocol";
import type { Answered, Failure, Operation, OperationKind, Report, Request, SqliteSettings } from "./operations.ts";

/**
 * `.ts` when running from sources, where Node strips the types, `.js` when built: the thread's file lies beside
 * this one, or beside the bundle that this one went into.
 */
const WORKER_URL = new URL(`./sqlite-worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);

/**
 * It inherits neither Node's options nor the environment, some of which (`--input-type`, NODE_EXTRA_CA_CERTS) break or
 * slow a thread; only the compile cache, without which a thread strips types anew: 100 ms of CPU and 16 MB for a server
 * that runs from sources.
 */
export function startSqliteWorker(settings: SqliteSettings): Worker {
  // Node has put a folder of its version into the one that it was given.
  const cacheDir = getCompileCacheDir();
  const env = cacheDir === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cacheDir) };
  return new Worker(WORKER_URL, { name: "samovar-storage", workerData: settings, env, execArgv: [] });
}

export interface OpenedThread {
  readonly thread: StorageThread;
  readonly schemaBefore: number;
  readonly schemaNow: number;
}

/** Resolves when the thread has opened its file. Rejects with `storage_failed` when the file is refused. */
export function openStorageThread(worker: Worker, file: string): Promise<OpenedThread> {
  return new Promise((resolve, reject) => {
    const ended = (reason: string): void => reject(new SamovarError("storage_failed", `The storage thread of ${file} ended before it was open: ${reason}`));
    const onError = (error: unknown): void => ended(error instanceof Error ? error.message : String(error));
    const onExit = (code: number): void => ended(`exit ${code}`);
    worker.once("error", onError).once("exit", onExit);
    worker.once("message", (report: Report) => {
      worker.off("error", onError).off("exit", onExit);
      if (report.type === "opened") resolve({ thread: new StorageThread(worker, file), schemaBefore: report.schemaBefore, schemaNow: report.schemaNow });
      else if (report.type === "refused") reject(toError(report.failure));
      else ended(`it said ${report.type}`);
    });
  });
}

/**
 * The main thread's end of the storage thread.
 *
 * open ── end() ──▶ closing ── last answer, exit ──▶ closed
 *   └────── the thread crashed ──────┴─────────────▶ failed: everything pending and later rejects
 */
export class StorageThread {
  readonly #worker: Worker;
  readonly #file: string;
  readonly #pending = new Map<number, { resolve(value: Answered<OperationKind>): void; reject(error: Error): void }>();
  #state: "open" | "closing" | "closed" | "failed" = "open";
  #failure: Error | undefined;
  #lastId = 0;
  #commits = 0;
  #onFailure: (error: Error) => void = () => {};

  constructor(worker: Worker, file: string) {
    this.#worker = worker;
    this.#file = file;
    worker.on("message", (report: Report) => this.#receive(report));
    worker.on("messageerror", (error) => this.#fail(error.message));
    worker.on("error", (error) => this.#fail(error instanceof Error ? error.message : String(error)));
    worker.on("exit", (code) => {
      if (this.#state === "closing" && this.#pending.size === 0) this.#state = "closed";
      else this.#fail(`exit ${code}`);
    });
  }

  /** Transactions that wrote something, since the start. */
  get commits(): number {
    return this.#commits;
  }

  /** Called once, when the thread ended without being asked to. */
  set onFailure(listener: (error: Error) => void) {
    this.#onFailure = listener;
  }

  call<K extends OperationKind>(operation: Extract<Operation, { kind: K }>): Promise<Answered<K>> {
    if (this.#state !== "open") return Promise.reject(this.#failure ?? new SamovarError("storage_failed", `The storage of ${this.#file} is closed`));
    return this.#send(operation);
  }

  /** Everything asked before is answered, the file is closed, the thread is gone. */
  async end(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "closing";
    const exited = new Promise<void>((resolve) => this.#worker.once("exit", () => resolve()));
    await this.#send({ kind: "close" });
    await exited;
  }

  #send(operation: Operation): Promise<Answered<OperationKind>> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, operation } satisfies Request);
    });
  }

  #receive(report: Report): void {
    if (report.type !== "answers") return;
    this.#commits = report.commits;
    for (const { id, outcome } of report.answers) {
      const caller = this.#pending.get(id);
      this.#pending.delete(id);
      if (outcome.ok) caller?.resolve(outcome.value);
      else caller?.reject(toError(outcome.failure));
    }
  }

  #fail(reason: string): void {
    if (this.#state === "failed" || this.#state === "closed") return;
    this.#state = "failed";
    this.#failure = new SamovarError("storage_failed", `The storage thread of ${this.#file} ended: ${reason}`);
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
    this.#onFailure(this.#failure);
  }
}

function toError(failure: Failure): SamovarError {
  return new SamovarError(failure.code, failure.message);
}
