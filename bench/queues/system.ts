import type { Address, SystemName } from "./client.ts";
import type { JobReport } from "./job.ts";

/** The queues of a run, each with a worker that does so many jobs at once. */
export const CONCURRENCIES = [1, 10, 64] as const;
export type Concurrency = (typeof CONCURRENCIES)[number];

/** Names are words in all systems: of functions, of databases. */
export const queueOf = (concurrency: Concurrency): `noop${Concurrency}` => `noop${concurrency}`;
/** Nobody works on it. */
export const IDLE_QUEUE = "idle";

/** A system with its servers and its worker, running. */
export interface QueueSystem {
  readonly name: SystemName;
  readonly version: string;
  /** What an acknowledged job survives, in words. */
  readonly durability: string;
  readonly address: Address;
  /** The worker of one queue begins, with all that waits there. One at a time. */
  startWorker(concurrency: Concurrency): Promise<void>;
  stopWorker(): Promise<void>;
  /** Resolves when so many jobs of the worker's queue have ended in the eyes of the system, with the moment in which that was known. All have been put. */
  untilDone(jobs: number): Promise<number>;
  /** What its worker did since it was last asked. */
  report(): Promise<JobReport>;
  /** CPU time of all its processes so far: servers and worker, not the producer. */
  cpuUs(): number;
  stop(): Promise<void>;
}
