import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { silentLogger, systemClock } from "@samovar/kit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MIGRATIONS } from "./migrations/index.ts";
import { tokenSample as token } from "./samples.fixture.ts";
import { openSqliteFile, type Opened } from "./sqlite-open.ts";
import { openSqliteStorage } from "./sqlite-storage.ts";

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "samovar-storage-"));
  file = path.join(folder, "samovar.db");
});

afterEach(() => rm(folder, { recursive: true }));

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

  test("another program's database", async () => {
    const database = new DatabaseSync(file);
    database.exec("CREATE TABLE recipes (id TEXT)");
    database.close();
    await expectRefused("is a database of another program");
  });

  test("a folder that is not there", async () => {
    const lost = path.join(folder, "nowhere", "samovar.db");
    await expect(open(lost)).rejects.toMatchObject({
      code: "storage_failed",
      message: expect.stringContaining(`${lost} could not be read or written`) as string,
    });
  });
});
