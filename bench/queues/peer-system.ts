import { setTimeout as sleep } from "node:timers/promises";
import { treeCpuMicroseconds } from "../process-usage.ts";
import type { Address } from "./client.ts";
import { Forked } from "./forked.ts";
import { nowUs, type JobReport } from "./job.ts";
import { queueOf, type Concurrency, type QueueSystem } from "./system.ts";
import type { WorkerMethods } from "./worker-process.ts";

export interface PeerOptions {
  readonly address: Address;
  readonly version: string;
  readonly durability: string;
  /** The server's first process. */
  readonly pid: number;
  /** Whether the system has any job of the queue that has not ended. */
  readonly hasOpenJobs: (queue: string) => Promise<boolean>;
  /** Ends the server. */
  readonly stop: () => Promise<void>;
}

/** A queue on a server of its own, with a worker in a process of its own that lives as long as the run. */
export class PeerSystem implements QueueSystem {
  readonly name;
  readonly version;
  readonly durability;
  readonly address;
  readonly #options: PeerOptions;
  readonly #worker: Forked<WorkerMethods>;
  #queue = "";

  constructor(options: PeerOptions) {
    this.#options = options;
    this.address = options.address;
    this.name = options.address.system;
    this.version = options.version;
    this.durability = options.durability;
    this.#worker = new Forked<WorkerMethods>("worker-process.ts", [JSON.stringify(options.address)]);
  }

  async startWorker(concurrency: Concurrency): Promise<void> {
    this.#queue = queueOf(concurrency);
    await this.#worker.calls.start(this.#queue, concurrency);
  }

  async stopWorker(): Promise<void> {
    await this.#worker.calls.stop();
  }

  /** That the handlers have run is told by the worker; that the system knows it follows within a moment. */
  async untilDone(jobs: number): Promise<number> {
    await this.#worker.calls.untilRun(jobs);
    while (await this.#options.hasOpenJobs(this.#queue)) await sleep(1);
    return nowUs();
  }

  async report(): Promise<JobReport> {
    return this.#worker.calls.report();
  }

  cpuUs(): number {
    return treeCpuMicroseconds(this.#options.pid) + treeCpuMicroseconds(this.#worker.pid);
  }

  async stop(): Promise<void> {
    await this.#worker.stop();
    await this.#options.stop();
  }
}
