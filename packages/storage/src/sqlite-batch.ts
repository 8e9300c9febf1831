import type { DatabaseSync } from "node:sqlite";
import type { Answered, OperationKind, Outcome, Request } from "./operations.ts";
import { toFailure } from "./sqlite-failure.ts";
import type { SqliteTables } from "./sqlite-tables.ts";

const WRITES: Readonly<Record<OperationKind, boolean>> = {
  "tokens.insert": true,
  "tokens.list": false,
  "tokens.delete": true,
  "containers.record": true,
  "containers.get": false,
  "containers.list": false,
  "containers.living": false,
  "containers.endAllLiving": true,
  "deployments.load": false,
  "deployments.begin": true,
  "deployments.activate": true,
  "deployments.setActive": true,
  "deployments.setState": true,
  "deployments.setScaling": true,
  "deployments.removeVersion": true,
  "deployments.remove": true,
  "tasks.insert": true,
  "tasks.knownKeys": false,
  "tasks.ready": false,
  "tasks.promote": true,
  "tasks.started": true,
  "tasks.settle": true,
  "tasks.change": true,
  "tasks.get": false,
  "tasks.files": false,
  "tasks.list": false,
  "tasks.counts": false,
  "tasks.recover": true,
  "tasks.running": false,
  "tasks.recordCalls": true,
  "tasks.prune": true,
  "callbacks.due": false,
  "callbacks.settle": true,
  "callbacks.list": false,
  "callbacks.get": false,
  "callbacks.revive": true,
  "schedules.load": false,
  "schedules.ticked": true,
  "schedules.setPaused": true,
  "schedules.countFrom": true,
  "schedules.remove": true,
  flush: false,
  close: false,
};

/**
 * Runs a batch in one transaction, so that one fsync serves all of it. An operation that fails alone (a name that is
 * taken) fails alone; a commit that fails (a full disk) fails all writes of the batch, and its reads are
 * asked again, because they may have seen what was not kept.
 *
 * Nearly always none fails: the batch is tried without savepoints, which would be half its work, and only where one
 * did fail it is begun anew, with one around each.
 */
export function runBatch(database: DatabaseSync, tables: SqliteTables, file: string, batch: readonly Request[]): { outcomes: Outcome[]; committed: boolean } {
  const writes = batch.some((request) => WRITES[request.operation.kind]);
  if (!writes) return { outcomes: batch.map((request) => attempt(file, () => tables.apply(request))), committed: false };
  try {
    const outcomes = applyAll(database, tables, batch) ?? applyEach(database, tables, file, batch);
    return { outcomes, committed: true };
  } catch (error) {
    rollBack(database, tables);
    const failure = toFailure(file, error);
    const failed: Outcome = { ok: false, failure: { code: "storage_failed", message: failure.message } };
    // After the rollback reads see what is kept, and no more.
    const outcomes = batch.map((request) => (WRITES[request.operation.kind] ? failed : attempt(file, () => tables.apply(request))));
    return { outcomes, committed: false };
  }
}

/** Undefined, and nothing done, where an operation failed. Throws what keeps the transaction from being made. */
function applyAll(database: DatabaseSync, tables: SqliteTables, batch: readonly Request[]): Outcome[] | undefined {
  const outcomes: Outcome[] = [];
  database.exec("BEGIN IMMEDIATE");
  try {
    for (const request of batch) outcomes.push({ ok: true, value: tables.apply(request) });
  } catch (error) {
    // SQLite ends the transaction by itself when the disk is full or fails: then nothing of the batch can be kept.
    if (!database.isTransaction) throw error;
    rollBack(database, tables);
    return undefined;
  }
  tables.complete();
  database.exec("COMMIT");
  return outcomes;
}

function applyEach(database: DatabaseSync, tables: SqliteTables, file: string, batch: readonly Request[]): Outcome[] {
  const outcomes: Outcome[] = [];
  let ended: unknown;
  database.exec("BEGIN IMMEDIATE");
  for (const request of batch) {
    // An operation is several statements: without the savepoint, one that fails half-way would keep its first half.
    database.exec("SAVEPOINT operation");
    const outcome = attempt(file, () => {
      try {
        const value = tables.apply(request);
        tables.complete();
        return value;
      } catch (error) {
        tables.forget();
        if (!database.isTransaction) ended = error;
        throw error;
      }
    });
    if (!database.isTransaction) throw ended;
    database.exec(outcome.ok ? "RELEASE operation" : "ROLLBACK TO operation; RELEASE operation");
    outcomes.push(outcome);
  }
  database.exec("COMMIT");
  return outcomes;
}

function attempt(file: string, apply: () => Answered<OperationKind>): Outcome {
  try {
    return { ok: true, value: apply() };
  } catch (error) {
    return { ok: false, failure: toFailure(file, error) };
  }
}

function rollBack(database: DatabaseSync, tables: SqliteTables): void {
  tables.forget();
  if (database.isTransaction) database.exec("ROLLBACK");
}
