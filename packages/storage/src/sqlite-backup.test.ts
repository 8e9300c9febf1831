import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { silentLogger, systemClock } from "@samovar/kit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NOW_MS } from "./samples.fixture.ts";
import { openSqliteStorage, type SqliteStorage } from "./sqlite-storage.ts";
import { settlementSample, startSample, taskSample } from "./task-samples.fixture.ts";

let folder: string;
let storage: SqliteStorage;
const opened: SqliteStorage[] = [];

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "samovar-storage-"));
  storage = await open("samovar.db");
});

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  await rm(folder, { recursive: true, maxRetries: 5 });
});

async function open(name: string): Promise<SqliteStorage> {
  const one = await openSqliteStorage({ file: path.join(folder, name), logger: silentLogger, clock: systemClock });
  opened.push(one);
  return one;
}

test("a backup under load is whole, has all that was acknowledged before it, and can be opened", async () => {
  const acknowledged: string[] = [];
  let isOver = false;
  let onGrowth = (): void => {};
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    for (let i = 0; !isOver; i++) {
      const id = `tk_${writer}_${i}`;
      await storage.tasks.insert([taskSample(id, { queue: `q-${writer}`, input: new Uint8Array(2_000) })]);
      storage.tasks.started(startSample(id, 1));
      await storage.tasks.settle(settlementSample(startSample(id, 1)));
      acknowledged.push(id);
      onGrowth();
    }
  });
  const grown = (by: number): Promise<void> => {
    const enough = acknowledged.length + by;
    return new Promise((resolve) => (onGrowth = () => acknowledged.length >= enough && resolve()));
  };
  await grown(500);
  for (const name of ["first.db", "second.db"]) {
    const before = [...acknowledged];
    await storage.backup(path.join(folder, name));
    expect((await stat(path.join(folder, name))).mode & 0o777).toBe(0o600);
    const check = new DatabaseSync(path.join(folder, name));
    expect(
      check
        .prepare("PRAGMA integrity_check")
        .all()
        .map((row) => row["integrity_check"]),
    ).toEqual(["ok"]);
    check.close();
    const { tasks } = await open(name);
    const { tasks: kept } = await tasks.list({ ids: before }, { limit: before.length, cursor: null });
    expect(kept.filter(({ status }) => status === "COMPLETE")).toHaveLength(before.length);
    // The writers were not held up by it, nor stopped.
    await grown(50);
  }
  isOver = true;
  await Promise.all(writers);
});

test("what waited when it was made goes on from the copy", async () => {
  await storage.tasks.insert([taskSample("tk_1", { concurrencyKey: "k" }), taskSample("tk_2", { concurrencyKey: "k" })]);
  storage.tasks.started(startSample("tk_1", 1));
  await storage.backup(path.join(folder, "copy.db"));
  const { tasks } = await open("copy.db");
  expect(await tasks.recover(NOW_MS)).toEqual({ queues: ["resize"], running: [] });
  expect((await tasks.ready("resize", null, 9)).map(({ id, attempt }) => [id, attempt])).toEqual([["tk_1", 1]]);
});

test("a name that is taken is refused, and what is there stays", async () => {
  await writeFile(path.join(folder, "copy.db"), "precious");
  await expect(storage.backup(path.join(folder, "copy.db"))).rejects.toMatchObject({ code: "conflict" });
  expect(await readFile(path.join(folder, "copy.db"), "utf8")).toBe("precious");
});

test("a folder that is not there is named, and nothing is left", async () => {
  const before = await readdir(folder);
  const to = path.join(folder, "nowhere", "copy.db");
  await expect(storage.backup(to)).rejects.toMatchObject({ code: "storage_failed", message: expect.stringContaining(to) as string });
  expect(await readdir(folder)).toEqual(before);
});
