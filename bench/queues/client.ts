import type { Job, JobResult } from "./job.ts";

/** What a producer and a worker need to know to reach a system, as JSON between processes. */
export interface Address {
  readonly system: SystemName;
  readonly url: string;
  readonly token?: string;
}

export type SystemName = "samovar" | "bullmq" | "graphile" | "pgboss";

export interface Producer {
  /** Resolves when the system says that it has it. */
  put(job: Job): Promise<unknown>;
  /** As the system offers it for many. */
  putMany(jobs: readonly Job[]): Promise<unknown>;
  /** Before all others that wait; absent where nothing needs it. */
  putFirst?(jobs: readonly Job[]): Promise<unknown>;
  close(): Promise<void>;
}

export interface Worker {
  stop(): Promise<void>;
}

export interface WorkerOptions {
  readonly queue: string;
  /** Jobs at once. */
  readonly concurrency: number;
  readonly run: (job: Job) => Promise<JobResult>;
}

/** One of the systems, seen from its clients. */
export interface SystemClient {
  createProducer(address: Address, queue: string): Promise<Producer>;
  /** Absent where the system runs workers itself. */
  startWorker?(address: Address, options: WorkerOptions): Promise<Worker>;
}

/** Loaded where it is used: a process has the library of one system. */
export async function loadClient(system: SystemName): Promise<SystemClient> {
  switch (system) {
    case "samovar":
      return (await import("./samovar-client.ts")).samovarClient;
    case "bullmq":
      return (await import("./bullmq-client.ts")).bullmqClient;
    case "graphile":
      return (await import("./graphile-client.ts")).graphileClient;
    case "pgboss":
      return (await import("./pgboss-client.ts")).pgbossClient;
  }
}
