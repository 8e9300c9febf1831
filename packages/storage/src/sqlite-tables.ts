import type { DatabaseSync } from "node:sqlite";
import type { Answered, OperationKind, Request } from "./operations.ts";
import { createSqliteCallbacks } from "./sqlite-callbacks.ts";
import { createSqliteCalls } from "./sqlite-calls.ts";
import { createContainerTable, type HistoryLimits } from "./sqlite-containers.ts";
import { createDeploymentTables } from "./sqlite-deployments.ts";
import { createScheduleTable } from "./sqlite-schedules.ts";
import { createTaskChanges } from "./sqlite-task-changes.ts";
import { createTaskSearch } from "./sqlite-task-filter.ts";
import { createTaskPruning } from "./sqlite-task-pruning.ts";
import { createTaskQueries } from "./sqlite-task-queries.ts";
import { createTaskQueues } from "./sqlite-task-queues.ts";
import { createSqliteTasks } from "./sqlite-tasks.ts";
import { createTokenTable } from "./sqlite-tokens.ts";

export interface SqliteTables {
  /** Does one operation, at once and in whatever transaction is open. Throws what SQLite throws, and refusals. */
  apply(request: Request): Answered<OperationKind>;
  /** Before a commit or the release of a savepoint: writes what is gathered for it. */
  complete(): void;
  /** After a rollback: what was gathered is void. */
  forget(): void;
}

/** What each operation says to SQLite. Knows nothing of threads, batches and commits. */
export function createSqliteTables(database: DatabaseSync, limits: HistoryLimits): SqliteTables {
  const tokens = createTokenTable(database);
  const containers = createContainerTable(database, limits);
  const deployments = createDeploymentTables(database);
  const schedules = createScheduleTable(database);
  const queues = createTaskQueues(database);
  const callbacks = createSqliteCallbacks(database);
  const calls = createSqliteCalls(database);
  const tasks = createSqliteTasks(database, callbacks, queues);
  const search = createTaskSearch(database, queues);
  const changes = createTaskChanges(database, search, tasks, callbacks);
  const queries = createTaskQueries(database, search, calls);
  const prune = createTaskPruning(database, tasks, queues, callbacks, calls);
  return {
    complete: () => tasks.counts.write(),
    forget() {
      tasks.counts.forget();
      calls.forget();
      queues.forget();
    },
    apply({ operation, blobs }) {
      switch (operation.kind) {
        case "tokens.insert":
          return tokens.insert(operation.token);
        case "tokens.list":
          return tokens.list();
        case "tokens.delete":
          return tokens.delete(operation.id);
        case "containers.record":
          return containers.record(operation.rows, operation.nowMs);
        case "containers.get":
          return containers.get(operation.id);
        case "containers.list":
          return containers.list(operation.functionId, operation.includeEnded, operation.limit);
        case "containers.living":
          return containers.living();
        case "containers.endAllLiving":
          return containers.endAllLiving(operation.reason, operation.atMs, operation.except);
        case "deployments.load":
          return deployments.load();
        case "deployments.begin":
          return deployments.begin(operation.names);
        case "deployments.activate":
          return deployments.activate(operation.app, operation.versions, operation.pruned);
        case "deployments.setActive":
          return deployments.setActive(operation.changes);
        case "deployments.setState":
          return deployments.setState(operation.name, operation.state);
        case "deployments.setScaling":
          return deployments.setScaling(operation.name, operation.scaling);
        case "deployments.removeVersion":
          return deployments.removeVersion(operation.name, operation.version);
        case "deployments.remove":
          return deployments.remove(operation.name);
        case "tasks.insert":
          return tasks.insert(operation.ids, operation.rows, blobs, operation.large);
        case "tasks.knownKeys":
          return tasks.keys.known(operation.queue, operation.keys, operation.nowMs);
        case "tasks.ready":
          return queries.ready(operation.queue, operation.rank, operation.id, operation.limit);
        case "tasks.promote":
          return changes.promote(operation.nowMs, operation.limit);
        case "tasks.started":
          return tasks.started(operation.starts);
        case "tasks.settle":
          return tasks.settle(operation.row, blobs[0]);
        case "tasks.change":
          return changes.change(operation.event, operation.which, operation.nowMs, operation.after);
        case "tasks.get":
          return queries.get(operation.id);
        case "tasks.files":
          return queries.files();
        case "tasks.list":
          return queries.list(operation.filter, operation.limit, operation.from);
        case "tasks.counts":
          return tasks.counts.ofQueue(operation.queue);
        case "tasks.recover":
          return changes.recover(operation.nowMs, operation.kept, operation.limit);
        case "tasks.running":
          return queries.running(operation.after, operation.limit);
        case "tasks.prune":
          return prune(operation.nowMs, operation.limit);
        case "tasks.recordCalls":
          return calls.record(operation.rows);
        case "callbacks.due":
          return callbacks.due(operation.nowMs, operation.limit, operation.except);
        case "callbacks.settle":
          return callbacks.settle(operation.id, operation.attempt, operation.outcome);
        case "callbacks.list":
          return callbacks.list(operation.filter);
        case "callbacks.get":
          return callbacks.get(operation.id);
        case "callbacks.revive":
          return callbacks.revive(operation.id, operation.nowMs);
        case "schedules.load":
          return schedules.load();
        case "schedules.ticked":
          return schedules.ticked(operation.name, operation.tickAtMs, operation.taskId);
        case "schedules.setPaused":
          return schedules.setPaused(operation.name, operation.pausedAtMs);
        case "schedules.countFrom":
          return schedules.countFrom(operation.name, operation.atMs);
        case "schedules.remove":
          return schedules.remove(operation.name);
        case "flush":
        case "close":
          return undefined;
        default:
          return operation satisfies never;
      }
    },
  };
}
