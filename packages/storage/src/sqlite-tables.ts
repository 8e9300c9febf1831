import type { DatabaseSync } from "node:sqlite";
import type { Answered, Operation, OperationKind } from "./operations.ts";
import { createContainerTable, type HistoryLimits } from "./sqlite-containers.ts";
import { createDeploymentTables } from "./sqlite-deployments.ts";
import { createTokenTable } from "./sqlite-tokens.ts";

export interface SqliteTables {
  /** Does one operation, at once and in whatever transaction is open. Throws what SQLite throws, and refusals. */
  apply(operation: Operation): Answered<OperationKind>;
}

/** What each operation says to SQLite. Knows nothing of threads, batches and commits. */
export function createSqliteTables(database: DatabaseSync, limits: HistoryLimits): SqliteTables {
  const tokens = createTokenTable(database);
  const containers = createContainerTable(database, limits);
  const deployments = createDeploymentTables(database);
  return {
    apply(operation) {
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
        case "containers.endAllLiving":
          return containers.endAllLiving(operation.reason, operation.atMs);
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
        case "flush":
        case "close":
          return undefined;
        default:
          return operation satisfies never;
      }
    },
  };
}
