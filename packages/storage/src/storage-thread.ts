import { getCompileCacheDir } from "node:module";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import { SamovarError } from "@samovar/protocol";
import type { Answered, EmbedSettings, Failure, Operation, OperationKind, Report, Request, SqliteSettings } from "./operations.ts";
import { toMessage } from "./request-messages.ts";

/**
 * `.ts` when running from sources, where Node strips the types, `.js` when built: the thread's file lies beside
 * this one, or beside the bundle that this one went into.
 */
const FROM_SOURCES = import.meta.url.endsWith(".ts");
const WORKER_URL = new URL(`./sqlite-worker${FROM_SOURCES ? ".ts" : ".js"}`, import.meta.url);

/**
 * It inherits neither Node's options nor the environment, some of which (`--input-type`, NODE_EXTRA_CA_CERTS) break or
 * slow a thread; only the compile cache, without which a thread strips types anew: 100 ms of CPU and 16 MB for a server
 * that runs from sources. And the condition by which sources find each other: without it the thread
 * would take a build, which may be missing or old. Of other packages it loads only `protocol/tasks` and `protocol/ids`, files of their own.
 */
export function startSqliteWorker(settings: SqliteSettings | EmbedSettings): Worker {
  // Node has put a folder of its version into the one that it was given.
  const cacheDir = getCompileCacheDir();
  const env = cacheDir === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cacheDir) };
  return new Worker(WORKER_URL, { name: "samovar-storage", workerData: settings, env, execArgv: FROM_SOURCES ? ["--conditions=samovar-source"] : [] });
}

export interface OpenedThread {
  readonly thread: StorageThread;
  readonly schemaBefore: number;
  readonly schemaNow: number;
  readonly largeFolder: string;
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
      if (report.type === "opened") {
        const { schemaBefore, schemaNow, largeFolder } = report;
        resolve({ thread: new StorageThread(worker, file), schemaBefore, schemaNow, largeFolder });
      } else if (report.type === "refused") reject(toError(report.failure));
      else ended(`it said ${report.type}`);
    });
  });
}

/** In a thread of its own. Resolves to the files that are lost. */
export function embedInThread(settings: EmbedSettings): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const worker = startSqliteWorker(settings);
    worker.once("error", reject).once("exit", (code) => reject(new Error(`The thread that copies large files ended: exit ${code}`)));
    worker.once("message", (report: Report) => {
      if (report.type === "embedded") resolve(report.lost);
      else if (report.type === "refused") reject(toError(report.failure));
    });
  });
}

interface Pending {
  resolve(value: Answered<OperationKind>): void;
  reject(error: Error): void;
}

const NO_BLOBS: readonly Uint8Array[] = Object.freeze([]);

/** A message is a transaction, or part of one: more than this would make its first caller wait for its last. */
const MAX_REQUESTS = 1_000;

/**
 * What nobody waits for goes with what somebody asks, and otherwise when so long has passed or so much has gathered: a commit
 * for each few would cost more than what they write.
 */
const UNAWAITED = { ms: 10, requests: 512, bytes: 8 * 1024 * 1024 };

/**
 * The main thread's end of the storage thread. What is asked in one turn of the event loop goes as one message: sending
 * and receiving cost more than what is asked.
 *
 * open ── end() ──▶ closing ── last answer, exit ──▶ closed
 *   └────── the thread crashed ──────┴─────────────▶ failed: everything pending and later rejects
 */
export class StorageThread {
  readonly #worker: Worker;
  readonly #file: string;
  /** Asked in this turn, and not sent yet; behind what nobody waits for. */
  #asked: Request[] = [];
  /** Of its blobs. */
  #askedBytes = 0;
  #sendsSoon = false;
  #timer: NodeJS.Timeout | undefined;
  /** In the order in which they were asked, which is that of the answers. */
  readonly #pending: Pending[] = [];
  #state: "open" | "closing" | "closed" | "failed" = "open";
  #failure: Error | undefined;
  #commits = 0;
  #onFailure: (error: Error) => void = () => {};

  constructor(worker: Worker, file: string) {
    this.#worker = worker;
    this.#file = file;
    worker.on("message", (report: Report) => this.#receive(report));
    worker.on("messageerror", (error) => this.#fail(error.message));
    worker.on("error", (error) => this.#fail(error instanceof Error ? error.message : String(error)));
    worker.on("exit", (code) => {
      if (this.#state === "closing" && this.#pending.length === 0) this.#state = "closed";
      else this.#fail(`exit ${code}`);
    });
  }

  /** Transactions that wrote something, since the start. */
  get commits(): number {
    return this.#commits;
  }

  /** The thread ended without being asked to: nobody knows what it did last. */
  get hasFailed(): boolean {
    return this.#state === "failed";
  }

  /** Called once, when the thread ended without being asked to. */
  set onFailure(listener: (error: Error) => void) {
    this.#onFailure = listener;
  }

  /** `blobs` are copied when it is sent: when the turn ends, or a moment later what is not `awaited`. The order is that of the calls either way. */
  call<K extends OperationKind>(operation: Extract<Operation, { kind: K }>, blobs: readonly Uint8Array[] = NO_BLOBS, awaited = true): Promise<Answered<K>> {
    if (this.#state !== "open") return Promise.reject(this.#failure ?? new SamovarError("storage_failed", `The storage of ${this.#file} is closed`));
    return this.#ask(operation, blobs, awaited);
  }

  /** Everything asked before is answered, the file is closed, the thread is gone. */
  async end(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "closing";
    const exited = new Promise<void>((resolve) => this.#worker.once("exit", () => resolve()));
    await this.#ask({ kind: "close" }, NO_BLOBS, true);
    await exited;
  }

  #ask(operation: Operation, blobs: readonly Uint8Array[], awaited: boolean): Promise<Answered<OperationKind>> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ resolve, reject });
      this.#asked.push({ operation, blobs });
      for (const blob of blobs) this.#askedBytes += blob.length;
      if (this.#asked.length === MAX_REQUESTS) this.#send();
      else if (awaited || this.#asked.length >= UNAWAITED.requests || this.#askedBytes >= UNAWAITED.bytes) this.#sendSoon();
      else this.#timer ??= setTimeout(() => this.#send(), UNAWAITED.ms);
    });
  }

  /** When the turn ends. */
  #sendSoon(): void {
    if (this.#sendsSoon) return;
    this.#sendsSoon = true;
    setImmediate(() => this.#send());
  }

  #send(): void {
    this.#sendsSoon = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#asked.length === 0) return;
    const message = toMessage(this.#asked);
    this.#asked = [];
    this.#askedBytes = 0;
    this.#worker.postMessage(message, [message.bytes.buffer as ArrayBuffer]);
  }

  #receive(report: Report): void {
    if (report.type !== "answers") return;
    this.#commits = report.commits;
    const callers = this.#pending.splice(0, report.values.length);
    const failures = new Map(report.failures);
    for (const [index, caller] of callers.entries()) {
      const failure = failures.get(index);
      if (failure) caller.reject(toError(failure));
      else caller.resolve(report.values[index]);
    }
  }

  #fail(reason: string): void {
    if (this.#state === "failed" || this.#state === "closed") return;
    this.#state = "failed";
    this.#failure = new SamovarError("storage_failed", `The storage thread of ${this.#file} ended: ${reason}`);
    this.#asked = [];
    for (const { reject } of this.#pending.splice(0)) reject(this.#failure);
    this.#onFailure(this.#failure);
  }
}

function toError(failure: Failure): SamovarError {
  return new SamovarError(failure.code, failure.message);
}
