import type { Clock, Logger } from "@samovar/kit";
import { toLargeFolder } from "./large-file-name.ts";
import { LargeFiles } from "./large-files.ts";
import { LargeTasks } from "./large-tasks.ts";
import { CallRecords } from "./call-records.ts";
import type { CallbackStore } from "./callback-store.ts";
import { ContainerRecords, toContainerInfo, toLivingContainer } from "./container-records.ts";
import { createDeploymentStore } from "./deployment-store.ts";
import type { ScheduleStore } from "./schedule-store.ts";
import type { ContainerStore, Storage, TokenStore } from "./storage.ts";
import { backUpSqliteFile } from "./sqlite-backup.ts";
import { createTaskStore } from "./sqlite-task-store.ts";
import { TaskStarts } from "./task-starts.ts";
import { openStorageThread, startSqliteWorker, type StorageThread } from "./storage-thread.ts";

export interface SqliteStorageOptions {
  /** Its folder must be there. `-wal` and `-shm` files come beside it. */
  readonly file: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** How long an ended container stays in the history. Default 7 days. */
  readonly retentionMs?: number;
  /** How many ended containers stay in the history. Default 10,000. */
  readonly maxEndedContainers?: number;
  /** Called once if the storage thread dies: every call rejects from then on. */
  readonly onFailure?: (error: Error) => void;
}

export interface SqliteStorage extends Storage {
  /** Transactions that wrote something, since it was opened: far fewer than callers when many come at once. */
  readonly commits: number;
}

const DEFAULTS = Object.freeze({ retentionMs: 7 * 24 * 60 * 60 * 1000, maxEndedContainers: 10_000, busyTimeoutMs: 5_000 });

/**
 * Opens the file, migrating it where it is older. Rejects with `storage_failed` when it is damaged, belongs to
 * another program or was written by a newer version; the file is then left as it was.
 */
export async function openSqliteStorage(options: SqliteStorageOptions): Promise<SqliteStorage> {
  const { file, logger, retentionMs = DEFAULTS.retentionMs, maxEndedContainers = DEFAULTS.maxEndedContainers } = options;
  const worker = startSqliteWorker({ file, retentionMs, maxEndedContainers, busyTimeoutMs: DEFAULTS.busyTimeoutMs });
  const { thread, schemaBefore, schemaNow, largeFolder } = await openStorageThread(worker, file);
  if (schemaBefore !== schemaNow) logger.info({ file, schemaBefore, schemaNow }, "Storage was migrated");
  const files = new LargeFiles(toLargeFolder(file, largeFolder));
  const removed = await files.removeOthers(await thread.call<"tasks.files">({ kind: "tasks.files" }));
  if (removed > 0) logger.info({ file, removed }, "Files of large inputs and results that no task has were removed");
  return createThreadStorage(thread, files, options);
}

/** Of a thread that is open already: apart so that a test can end the thread under it. */
export function createThreadStorage(thread: StorageThread, files: LargeFiles, options: SqliteStorageOptions): SqliteStorage {
  const { file, logger, clock } = options;
  const records = new ContainerRecords(thread, clock, logger);
  const starts = new TaskStarts(thread, logger);
  const calls = new CallRecords(thread, logger, () => clock.now());
  const large = new LargeTasks(files, thread);
  thread.onFailure = (error) => {
    logger.error({ err: error, file }, "The storage thread died");
    options.onFailure?.(error);
  };

  /** In the order asked: a question sees every record made before it; those of calls are sent by the few questions that are about them. */
  const call: StorageThread["call"] = (operation) => {
    records.send();
    starts.send();
    return thread.call(operation);
  };

  const flush = async (): Promise<void> => {
    await large.settled();
    calls.send();
    await call<"flush">({ kind: "flush" });
    const failure = records.failure ?? starts.failure ?? calls.failure;
    if (failure) throw failure;
  };

  /** Calls and records that came while the flush waited are taken along. */
  const end = async (): Promise<void> => {
    records.send();
    starts.send();
    calls.send();
    await thread.end();
    await large.settled();
  };

  const close = async (): Promise<void> => {
    try {
      await flush();
    } finally {
      await end();
    }
  };

  let closed: Promise<void> | undefined;
  return {
    tokens: createTokenStore(call),
    containers: createContainerStore(call, records),
    deployments: createDeploymentStore(call),
    tasks: createTaskStore({ ask: call, thread, starts, calls, large }),
    callbacks: createCallbackStore(call),
    schedules: createScheduleStore(call),
    get commits() {
      return thread.commits;
    },
    flush,
    async backup(to) {
      await flush();
      const lost = await files.keepAllDuring(() => backUpSqliteFile(file, to));
      if (lost.length > 0) logger.warn({ file, lost }, "The backup has not the large inputs and results whose files are lost");
    },
    close: () => (closed ??= close()),
  };
}

function createTokenStore(call: StorageThread["call"]): TokenStore {
  return {
    insert: (token) => call<"tokens.insert">({ kind: "tokens.insert", token }),
    list: () => call<"tokens.list">({ kind: "tokens.list" }),
    delete: (id) => call<"tokens.delete">({ kind: "tokens.delete", id }),
  };
}

function createContainerStore(call: StorageThread["call"], records: ContainerRecords): ContainerStore {
  return {
    record: (container, facts) => records.add(container, facts),
    async get(id) {
      const stored = await call<"containers.get">({ kind: "containers.get", id });
      return stored && toContainerInfo(stored);
    },
    async list({ functionId = null, includeEnded, limit }) {
      const stored = await call<"containers.list">({ kind: "containers.list", functionId, includeEnded, limit });
      return stored.map(toContainerInfo);
    },
    async living() {
      const stored = await call<"containers.living">({ kind: "containers.living" });
      return stored.map(toLivingContainer);
    },
    endAllLiving: (reason, atMs, except = new Set()) => call<"containers.endAllLiving">({ kind: "containers.endAllLiving", reason, atMs, except: [...except] }),
  };
}

function createCallbackStore(call: StorageThread["call"]): CallbackStore {
  return {
    due: (nowMs, limit, except = []) => call<"callbacks.due">({ kind: "callbacks.due", nowMs, limit, except }),
    settle: (id, attempt, outcome) => call<"callbacks.settle">({ kind: "callbacks.settle", id, attempt, outcome }),
    list: (filter) => call<"callbacks.list">({ kind: "callbacks.list", filter }),
    get: (id) => call<"callbacks.get">({ kind: "callbacks.get", id }),
    revive: (id, nowMs) => call<"callbacks.revive">({ kind: "callbacks.revive", id, nowMs }),
  };
}

function createScheduleStore(call: StorageThread["call"]): ScheduleStore {
  return {
    load: () => call<"schedules.load">({ kind: "schedules.load" }),
    ticked: (name, tickAtMs, taskId) => call<"schedules.ticked">({ kind: "schedules.ticked", name, tickAtMs, taskId }),
    setPaused: (name, pausedAtMs) => call<"schedules.setPaused">({ kind: "schedules.setPaused", name, pausedAtMs }),
    countFrom: (name, atMs) => call<"schedules.countFrom">({ kind: "schedules.countFrom", name, atMs }),
    remove: (name) => call<"schedules.remove">({ kind: "schedules.remove", name }),
  };
}
