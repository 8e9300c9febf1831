import { copyFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { silentLogger, systemClock } from "@samovar/kit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MIGRATIONS } from "./migrations/index.ts";
import { NOW_MS, tokenSample as token } from "./samples.fixture.ts";
import { runBatch } from "./sqlite-batch.ts";
import { openSqliteFile, type Opened } from "./sqlite-open.ts";
import { openSqliteStorage } from "./sqlite-storage.ts";
import { createSqliteTables } from "./sqlite-tables.ts";
import { settlementSample, startSample, taskSample } from "./task-samples.fixture.ts";

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "samovar-storage-"));
  file = path.join(folder, "samovar.db");
});

afterEach(() => rm(folder, { recursive: true, maxRetries: 5 }));

const open = (which: string) => openSqliteStorage({ file: which, logger: silentLogger, clock: systemClock });

function openWith(which: string, migrations: readonly string[]): Extract<Opened, { ok: true }> {
  const opened = openSqliteFile(which, 0, migrations);
  if (!opened.ok) throw new Error(opened.failure.message);
  return opened;
}

describe("schemas", () => {
  test("a file of each older schema is migrated, with what it held", () => {
    const migrations = [...MIGRATIONS, "ALTER TABLE tokens ADD COLUMN note TEXT NOT NULL DEFAULT 'none'"];
    for (let older = 0; older < migrations.length; older++) {
      const ofOlder = path.join(folder, `schema-${older}.db`);
      const before = openWith(ofOlder, migrations.slice(0, older));
      if (older > 0) before.database.exec("INSERT INTO tokens (id, hash, name, scopes, created_at_ms) VALUES ('to_1', 'h', 'n', '[]', 1)");
      before.database.close();
      const after = openWith(ofOlder, migrations);
      expect([after.schemaBefore, after.schemaNow]).toEqual([older, migrations.length]);
      const kept = after.database.prepare("SELECT id, note FROM tokens").all();
      expect(kept.map((row) => ({ ...row }))).toEqual(older > 0 ? [{ id: "to_1", note: "none" }] : []);
      after.database.close();
    }
  });

  test("tokens and containers of a server before deployments are what they were: of every app, without an end", async () => {
    const { database } = openWith(file, MIGRATIONS.slice(0, 1));
    database.exec("INSERT INTO tokens (id, hash, name, scopes, created_at_ms) VALUES ('to_1', 'hash-of-to_1', 'admin', '[\"admin\"]', 1)");
    database.close();
    const storage = await open(file);
    expect(await storage.tokens.list()).toEqual([token("to_1")]);
    expect(await storage.deployments.load()).toEqual({ deployments: [], versions: [] });
    expect(await storage.deployments.begin(["predict"])).toEqual([1]);
    await storage.close();
  });

  test("a server of today finds what each older schema held, and takes tasks", async () => {
    const lacked = { schedule: null, options: { cpu: 1, ttlMs: null, keepResultsMs: 604_800_000, callbackUrl: null } };
    for (let older = 1; older < MIGRATIONS.length; older++) {
      const ofOlder = path.join(folder, `schema-${older}.db`);
      const { database } = openWith(ofOlder, MIGRATIONS.slice(0, older));
      database.exec("INSERT INTO tokens (id, hash, name, scopes, created_at_ms) VALUES ('to_1', 'hash-of-to_1', 'admin', '[\"admin\"]', 1)");
      database.exec("INSERT INTO containers VALUES ('ct_1', 'fn_1', 1, NULL, '{\"id\":\"ct_1\"}', x'90')");
      if (older >= 2) {
        const manifest = { name: "Predict", options: { cpu: 1 } };
        const details = JSON.stringify({ app: "text", manifest: older >= 4 ? { ...manifest, ...lacked } : manifest });
        database.prepare("INSERT INTO versions VALUES ('predict', 4, 'function', 'fn_1', 'dp_1', 1, ?)").run(details);
        database.exec("INSERT INTO version_numbers VALUES ('predict', 4); INSERT INTO deployments VALUES ('predict', 'Predict', 'text', 'active', 4, '{}')");
      }
      if (older >= 3) {
        const columns =
          "id, queue, status, wait, attempt, due_at_ms, rank, gone_at_ms, function_name, app, parameters, encoding, created_at_ms, priority, keep_ms";
        const of_ = "'Resize', 'images', '[]', 'json', 1, 0, 1000";
        database.exec(`
          INSERT INTO tasks (${columns}, callback_url) VALUES ('tk_old', 'resize', 'PENDING', 'ready', 0, 1, 1, NULL, ${of_}, 'https://example.com/done');
          INSERT INTO tasks (${columns}) VALUES ('tk_done', 'resize', 'CANCELLED', NULL, 0, 1, 1, 2000, ${of_});
          UPDATE tasks SET ended_at_ms = 1000 WHERE id = 'tk_done';
          INSERT INTO task_inputs (task, input) VALUES (1, x'01'), (2, x'02');
          INSERT INTO task_keys (queue, kind, key, task_id, until_ms) VALUES ('resize', 'idempotency', 'k', 'tk_old', ${NOW_MS + 10}), ('resize', 'tick', 't', 'tk_old', ${NOW_MS + 10});
          INSERT INTO task_counts VALUES ('resize', 'PENDING', 1)`);
      }
      if (older >= 4) database.exec("INSERT INTO task_queues VALUES ('Resize', 'resize')");
      database.close();
      const storage = await open(ofOlder);
      const { versions } = await storage.deployments.load();
      expect(versions).toMatchObject(older >= 2 ? [{ manifest: { name: "Predict", ...lacked } }] : []);
      if (older >= 3) {
        const [task] = await storage.tasks.ready("resize", null, 10);
        expect(task).toMatchObject({ id: "tk_old", reply: "value", input: new Uint8Array([1]) });
        // What was kept of a key before says nothing of the input.
        const again = taskSample("tk_new", { idempotencyKey: "k", input: new Uint8Array([9]) });
        expect(await storage.tasks.insert([again])).toEqual([{ id: "tk_old", inserted: false, conflict: false, ready: false }]);
        storage.tasks.started(startSample("tk_old", 1));
        await storage.tasks.settle(settlementSample(startSample("tk_old", 1)));
        expect(await storage.callbacks.list({ limit: 9 })).toMatchObject([{ taskId: "tk_old" }]);
        const { tasks: listed } = await storage.tasks.list({ functionName: "resize" }, { limit: 9, cursor: null });
        expect(listed.map(({ id, durable, reply }) => [id, durable, reply])).toEqual([
          ["tk_done", true, "value"],
          ["tk_old", true, "value"],
        ]);
        await storage.tasks.prune(2_001, 10);
        expect(await storage.tasks.get("tk_done")).toBeUndefined();
      }
      expect(await storage.tokens.list()).toEqual([token("to_1")]);
      expect(await storage.containers.get("ct_1")).toMatchObject({ id: "ct_1" });
      expect(await storage.containers.living()).toEqual([{ info: { id: "ct_1", parameters: [] }, facts: null }]);
      expect((await storage.deployments.load()).deployments.map(({ name, activeVersion }) => [name, activeVersion])).toEqual(
        older >= 2 ? [["Predict", 4]] : [],
      );
      expect(await storage.tasks.insert([taskSample("tk_1")])).toMatchObject([{ inserted: true, ready: true }]);
      expect(await storage.tasks.recover(1)).toEqual({ queues: ["resize"], running: [] });
      await storage.close();
    }
  });

  test("a migration that fails leaves the schema before it", () => {
    const broken = openSqliteFile(file, 0, [...MIGRATIONS, "CREATE TABLE half (id TEXT); CREATE TABLE tokens (id TEXT)"]);
    expect(broken).toMatchObject({ ok: false, failure: { code: "storage_failed", message: expect.stringContaining("table tokens already exists") as string } });
    const again = openWith(file, MIGRATIONS);
    expect(again.schemaBefore).toBe(MIGRATIONS.length);
    expect(again.database.prepare("SELECT name FROM sqlite_schema WHERE name = 'half'").all()).toEqual([]);
    again.database.close();
  });

  test("a schema from a newer version is refused and names both", async () => {
    await (await open(file)).close();
    const database = new DatabaseSync(file);
    database.exec("PRAGMA user_version = 99");
    database.close();
    await expect(open(file)).rejects.toMatchObject({
      code: "storage_failed",
      message: `${file} has schema 99, this version of Samovar knows schemas up to ${MIGRATIONS.length}: run the version that wrote it, or a newer one`,
    });
  });
});

describe("a file that can't be used is refused by name and left as it was", () => {
  const expectRefused = async (words: string): Promise<void> => {
    const before = await readFile(file);
    await expect(open(file)).rejects.toMatchObject({ code: "storage_failed", message: expect.stringContaining(`${file} ${words}`) as string });
    expect(before.equals(await readFile(file))).toBe(true);
  };

  test("text where the header should be", async () => {
    await writeFile(file, "this was a database once\n".repeat(100));
    await expectRefused("is damaged");
  });

  test("a file that lost its second half", async () => {
    const storage = await open(file);
    await Promise.all(Array.from({ length: 500 }, (_, i) => storage.tokens.insert(token(`to_${i}`))));
    await storage.close();
    await truncate(file, 12_288);
    await expectRefused("is damaged");
  });

  test("a page overwritten", async () => {
    const storage = await open(file);
    await Promise.all(Array.from({ length: 500 }, (_, i) => storage.tokens.insert(token(`to_${i}`))));
    await storage.close();
    const bytes = await readFile(file);
    bytes.fill(0x5a, 8_192, 12_288);
    await writeFile(file, bytes);
    await expectRefused("is damaged");
  });

  test("a page overwritten while its log holds what was written last: both stay", async () => {
    const storage = await open(file);
    await storage.tasks.insert(Array.from({ length: 500 }, (_, i) => taskSample(`tk_${i}`)));
    await storage.close();
    const writing = await open(file);
    await writing.tasks.insert([taskSample("tk_last")]);
    const copy = path.join(folder, "copy.db");
    await copyFile(`${file}-wal`, `${copy}-wal`);
    const bytes = await readFile(file);
    await writing.close();
    // What the log doesn't have: the inputs of the first.
    bytes.fill(0x5a, 4_096 * 20, 4_096 * 45);
    await writeFile(copy, bytes);
    const log = await readFile(`${copy}-wal`);
    await expect(open(copy)).rejects.toMatchObject({ code: "storage_failed", message: expect.stringContaining(`${copy} is damaged`) as string });
    expect(bytes.equals(await readFile(copy))).toBe(true);
    expect(log.equals(await readFile(`${copy}-wal`))).toBe(true);
  });

  test("a file that was emptied while its log was not", async () => {
    await writeFile(file, "");
    await writeFile(`${file}-wal`, "frames");
    await expectRefused("is damaged");
    expect(await readFile(`${file}-wal`, "utf8")).toBe("frames");
  });

  test("another program's database", async () => {
    const database = new DatabaseSync(file);
    database.exec("CREATE TABLE recipes (id TEXT)");
    database.close();
    await expectRefused("is a database of another program");
  });

  describe("of a file too large to be checked whole at every start", () => {
    const openLarge = (): Opened => openSqliteFile(file, 0, MIGRATIONS, 0);

    beforeEach(async () => {
      const storage = await open(file);
      await storage.tokens.insert(token("to_1"));
      await storage.tasks.insert(
        Array.from({ length: 2_000 }, (_, i) => taskSample(`tk_${i}`, { idempotencyKey: `${i}`, dueAtMs: NOW_MS + i, expiresAtMs: NOW_MS })),
      );
      await storage.tasks.change("cancel", { queue: "resize", createdBeforeMs: 1 }, NOW_MS);
      await storage.close();
    });

    test("one in order is opened", () => {
      const opened = openLarge();
      expect(opened.ok).toBe(true);
      if (opened.ok) opened.database.close();
    });

    test("one that lost its end is refused", async () => {
      const { size } = await stat(file);
      await truncate(file, size - 4_096);
      expect(openLarge()).toMatchObject({ ok: false, failure: { code: "storage_failed", message: expect.stringContaining(`${file} is damaged`) as string } });
    });

    test("one whose small tables are damaged is refused", async () => {
      const database = new DatabaseSync(file);
      const { rootpage } = database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'tokens'").get() as { rootpage: number };
      database.close();
      const bytes = await readFile(file);
      bytes.fill(0x5a, (rootpage - 1) * 4_096, rootpage * 4_096);
      await writeFile(file, bytes);
      expect(openLarge()).toMatchObject({ ok: false, failure: { code: "storage_failed", message: expect.stringContaining(`${file} is damaged`) as string } });
      expect(bytes.equals(await readFile(file))).toBe(true);
    });

    test("damage within a large table fails the call that reads it, by name, and no other", async () => {
      const database = new DatabaseSync(file);
      const pages = database.prepare("SELECT pageno FROM dbstat WHERE name = 'task_inputs' AND pagetype = 'leaf' ORDER BY pageno").all() as {
        pageno: number;
      }[];
      database.close();
      const bytes = await readFile(file);
      const { pageno } = pages[Math.floor(pages.length / 2)]!;
      bytes.fill(0x5a, (pageno - 1) * 4_096, pageno * 4_096);
      await writeFile(file, bytes);
      const opened = openLarge();
      if (!opened.ok) throw new Error(opened.failure.message);
      const tables = createSqliteTables(opened.database, { retentionMs: 1, maxEndedContainers: 1 });
      const ids = Array.from({ length: 2_000 }, (_, i) => `tk_${i}`);
      const { outcomes } = runBatch(
        opened.database,
        tables,
        file,
        ids.map((id) => ({ operation: { kind: "tasks.get", id }, blobs: [] })),
      );
      opened.database.close();
      const failed = outcomes.filter((outcome) => !outcome.ok);
      expect(failed.length).toBeGreaterThan(0);
      expect(failed.length).toBeLessThan(200);
      for (const { failure } of failed)
        expect(failure).toMatchObject({ code: "storage_failed", message: expect.stringContaining(`${file} is damaged`) as string });
    });
  });

  test("a folder that is not there", async () => {
    const lost = path.join(folder, "nowhere", "samovar.db");
    await expect(open(lost)).rejects.toMatchObject({
      code: "storage_failed",
      message: expect.stringContaining(`${lost} could not be read or written`) as string,
    });
  });
});
