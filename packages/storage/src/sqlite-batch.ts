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
  "containers.endAllLiving": true,
  "deployments.load": false,
  "deployments.begin": true,
  "deployments.activate": true,
  "deployments.setActive": true,
  "deployments.setState": true,
  "deployments.setScaling": true,
  "deployments.removeVersion": true,
  "deployments.remove": true,
  flush: false,
  close: false,
};

/**
 * Runs a batch in one transaction, so that one fsync serves all of it. An operation that fails alone (a name that is
 * taken) fails alone; a commit that fails (a full disk) fails the whole batch, its reads too, because they may have
 * seen what was not kept.
 */
export function runBatch(database: DatabaseSync, tables: SqliteTables, file: string, batch: readonly Request[]): { outcomes: Outcome[]; committed: boolean } {
  const outcomes: Outcome[] = [];
  const writes = batch.some((request) => WRITES[request.operation.kind]);
  try {
    if (writes) database.exec("BEGIN IMMEDIATE");
    for (const request of batch) outcomes.push(runOne(database, file, writes, () => tables.apply(request.operation)));
    if (writes) database.exec("COMMIT");
    return { outcomes, committed: writes };
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    const failure = toFailure(file, error);
    return { outcomes: batch.map(() => ({ ok: false, failure: { code: "storage_failed", message: failure.message } })), committed: false };
  }
}

function runOne(database: DatabaseSync, file: string, inTransaction: boolean, apply: () => Answered<OperationKind>): Outcome {
  // An operation is several statements: without the savepoint, one that fails half-way would keep its first half.
  if (inTransaction) database.exec("SAVEPOINT operation");
  try {
    const value = apply();
    if (inTransaction) database.exec("RELEASE operation");
    return { ok: true, value };
  } catch (error) {
    // SQLite ends the transaction by itself when the disk is full or fails: then nothing of the batch is kept.
    if (inTransaction && !database.isTransaction) throw error;
    if (inTransaction) database.exec("ROLLBACK TO operation; RELEASE operation");
    return { ok: false, failure: toFailure(file, error) };
  }
}
