import type { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Operation, Request } from "./operations.ts";
import { tokenSample } from "./samples.fixture.ts";
import { runBatch } from "./sqlite-batch.ts";
import { openSqliteFile } from "./sqlite-open.ts";
import { createSqliteTables, type SqliteTables } from "./sqlite-tables.ts";

let database: DatabaseSync;
let tables: SqliteTables;

beforeEach(() => {
  const opened = openSqliteFile(":memory:", 0);
  if (!opened.ok) throw new Error(opened.failure.message);
  database = opened.database;
  tables = createSqliteTables(database, { retentionMs: 1_000, maxEndedContainers: 10 });
});

afterEach(() => database.close());

const run = (...operations: Operation[]) =>
  runBatch(
    database,
    tables,
    "samovar.db",
    operations.map((operation): Request => ({ operation, blobs: [] })),
  );

const insert = (id: string, name = "n"): Operation => ({ kind: "tokens.insert", token: tokenSample(id, { name }) });

test("a batch that only asks opens no transaction", () => {
  expect(run({ kind: "tokens.list" }, { kind: "flush" })).toEqual({
    outcomes: [
      { ok: true, value: [] },
      { ok: true, value: undefined },
    ],
    committed: false,
  });
});

test("an operation that fails half-way leaves nothing of itself, and everything of its neighbours", () => {
  const row = { functionId: "fn_1", startedAtMs: 1, endedAtMs: null, info: "{}", parameters: new Uint8Array() };
  const broken = { ...row, id: "ct_2", functionId: null as unknown as string };
  const { outcomes, committed } = run(insert("to_1"), { kind: "containers.record", rows: [{ ...row, id: "ct_1" }, broken], nowMs: 1 }, insert("to_2"));
  expect(outcomes.map((outcome) => outcome.ok)).toEqual([true, false, true]);
  expect(committed).toBe(true);
  expect(run({ kind: "containers.get", id: "ct_1" }).outcomes).toEqual([{ ok: true, value: undefined }]);
  expect(run({ kind: "tokens.list" }).outcomes).toMatchObject([{ value: [{ id: "to_1" }, { id: "to_2" }] }]);
});

test("a full disk is named, and what does not fit is not kept", () => {
  run(insert("to_1"));
  const pages = Number(database.prepare("PRAGMA page_count").get()!["page_count"]);
  database.exec(`PRAGMA max_page_count = ${pages}`);
  const { outcomes } = run(insert("to_2", "x".repeat(1_000_000)));
  expect(outcomes).toEqual([
    { ok: false, failure: { code: "storage_failed", message: "The disk of samovar.db is full, free some space: database or disk is full" } },
  ]);
  expect(run({ kind: "tokens.list" }).outcomes).toMatchObject([{ value: [{ id: "to_1" }] }]);
  database.exec(`PRAGMA max_page_count = ${pages + 1_000}`);
  expect(run(insert("to_2", "x".repeat(1_000_000))).outcomes).toEqual([{ ok: true, value: undefined }]);
});

test("a commit that can't begin fails the writes of the batch; its reads see what is kept", () => {
  database.exec("BEGIN");
  const { outcomes, committed } = run({ kind: "tokens.list" }, insert("to_1"));
  expect(outcomes.map((outcome) => outcome.ok)).toEqual([true, false]);
  expect(committed).toBe(false);
  expect(run({ kind: "tokens.list" }).outcomes).toEqual([{ ok: true, value: [] }]);
});
