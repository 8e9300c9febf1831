import { mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { silentLogger, systemClock } from "@samovar/kit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NOW_MS } from "./samples.fixture.ts";
import { openSqliteStorage, type SqliteStorage } from "./sqlite-storage.ts";
import { DAY_MS, HOUR_MS, settlementSample, startSample, taskSample } from "./task-samples.fixture.ts";

const MIB = 1024 * 1024;

let folder: string;
let file: string;
let storage: SqliteStorage;
const opened: SqliteStorage[] = [];

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "samovar-storage-"));
  file = path.join(folder, "samovar.db");
  storage = await open(file);
});

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  await rm(folder, { recursive: true, maxRetries: 5 });
});

async function open(which: string): Promise<SqliteStorage> {
  const one = await openSqliteStorage({ file: which, logger: silentLogger, clock: systemClock });
  opened.push(one);
  return one;
}

const bytesOf = (size: number, seed: number): Uint8Array => new Uint8Array(size).map((_, index) => (index * 7 + seed) & 255);

/** The files beside the database, with their paths. */
async function filesOf(database = file): Promise<string[]> {
  const entries = await readdir(`${database}-large`, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}

async function complete(id: string, bytes: Uint8Array): Promise<void> {
  storage.tasks.started(startSample(id, 1));
  expect(await storage.tasks.settle(settlementSample(startSample(id, 1), { result: { encoding: "raw", bytes } }))).toMatchObject({ applied: true });
}

test("a large input and a large result lie in files for their owner alone, and are read as they were written, after a restart too", async () => {
  const [input, result] = [bytesOf(MIB, 1), bytesOf(3 * MIB, 2)];
  await storage.tasks.insert([taskSample("tk_0"), taskSample("tk_1", { input }), taskSample("tk_2", { input: input.subarray(1) })]);
  expect(await filesOf()).toHaveLength(1);
  const ready = await storage.tasks.ready("resize", null, 10);
  expect(ready.map((task) => [task.id, task.input.length])).toEqual([
    ["tk_0", taskSample("tk_0").input.length],
    ["tk_1", MIB],
    ["tk_2", MIB - 1],
  ]);
  expect(Buffer.compare(ready[1]!.input, input)).toBe(0);
  await complete("tk_1", result);
  const files = await filesOf();
  expect(files).toHaveLength(2);
  for (const each of files) expect((await stat(each)).mode & 0o777).toBe(0o600);
  expect((await stat(path.dirname(files[0]!))).mode & 0o777).toBe(0o700);
  await storage.close();
  const task = await (await open(file)).tasks.get("tk_1");
  expect(task!.input).toBeNull();
  expect(task!.result!.encoding).toBe("raw");
  expect(Buffer.compare(task!.result!.bytes, result)).toBe(0);
});

test("flush and close wait for what is being written", async () => {
  const inserting = storage.tasks.insert([taskSample("tk_1", { input: bytesOf(4 * MIB, 1) })]);
  await storage.flush();
  expect((await storage.tasks.list({}, { limit: 1, cursor: null })).tasks).toHaveLength(1);
  const second = storage.tasks.insert([taskSample("tk_2", { input: bytesOf(4 * MIB, 1) })]);
  await storage.close();
  await Promise.all([inserting, second]);
  expect(await (await open(file)).tasks.get("tk_2")).toBeDefined();
});

test("the files of what comes to nothing are removed: a key that was seen, a conflict, an id that is taken, an end that is too late", async () => {
  const { tasks } = storage;
  const input = bytesOf(MIB, 1);
  const keyed = (id: string, changes = {}) => taskSample(id, { idempotencyKey: "k", input, ...changes });
  await tasks.insert([keyed("tk_1")]);
  const [only] = await filesOf();
  expect(await tasks.insert([keyed("tk_2")])).toMatchObject([{ id: "tk_1", inserted: false, conflict: false }]);
  expect(await tasks.insert([keyed("tk_3", { input: bytesOf(MIB, 2) })])).toMatchObject([{ id: "tk_1", conflict: true }]);
  await expect(tasks.insert([taskSample("tk_1", { input })])).rejects.toMatchObject({ code: "conflict" });
  const late = settlementSample(startSample("tk_1", 4), { result: { encoding: "raw", bytes: input } });
  expect(await tasks.settle(late)).toMatchObject({ applied: false });
  await storage.flush();
  expect(await filesOf()).toEqual([only]);
});

test("files go with their task's record, and what a crash left at the next start", async () => {
  await storage.tasks.insert([taskSample("tk_1", { input: bytesOf(MIB, 1), keepMs: HOUR_MS }), taskSample("tk_2", { input: bytesOf(MIB, 2) })]);
  await complete("tk_1", bytesOf(MIB, 3));
  expect(await filesOf()).toHaveLength(3);
  while (await storage.tasks.prune(NOW_MS + DAY_MS, 10));
  const [left, ...others] = await filesOf();
  expect(others).toEqual([]);
  await storage.close();
  const orphan = path.join(path.dirname(left!), `${"0".repeat(32)}-3`);
  const foreign = path.join(path.dirname(left!), "notes.txt");
  for (const each of [orphan, foreign]) await writeFile(each, "abc");
  storage = await open(file);
  expect((await filesOf()).toSorted()).toEqual([left, foreign].toSorted());
  expect((await storage.tasks.ready("resize", null, 1))[0]!.input).toHaveLength(MIB);
});

test("a database that comes in another one's place leaves that one's files alone", async () => {
  await storage.tasks.insert([taskSample("tk_1", { input: bytesOf(MIB, 1) })]);
  const files = await filesOf();
  await storage.close();
  await rm(file);
  storage = await open(file);
  await storage.tasks.insert([taskSample("tk_1", { input: bytesOf(MIB, 1) })]);
  expect(await filesOf()).toEqual(expect.arrayContaining(files));
});

test("a result that is lost or cut off is told by name, and all else of its task is there", async () => {
  await storage.tasks.insert([taskSample("tk_1"), taskSample("tk_2"), taskSample("tk_3")]);
  await complete("tk_1", bytesOf(MIB, 1));
  const [first] = await filesOf();
  await complete("tk_2", bytesOf(MIB, 2));
  const second = (await filesOf()).find((each) => each !== first)!;
  await rm(first!);
  await truncate(second, 1_000);
  const shown = (name: string): string => name.slice(name.indexOf("samovar.db-large"));
  expect(await storage.tasks.get("tk_1")).toMatchObject({
    status: "COMPLETE",
    result: null,
    lostResult: `${shown(first!)} is gone: put it back from a copy of the home`,
  });
  expect(await storage.tasks.get("tk_2")).toMatchObject({ result: null, lostResult: expect.stringContaining(`${shown(second)} is damaged`) as string });
  expect((await storage.tasks.list({}, { limit: 9, cursor: null })).tasks.map(({ status }) => status)).toEqual(["PENDING", "COMPLETE", "COMPLETE"]);
  expect((await storage.tasks.get("tk_3"))?.id).toBe("tk_3");
});

test("a task whose input is lost is given out as that, and those behind it as they are", async () => {
  await storage.tasks.insert([taskSample("tk_1", { input: bytesOf(MIB, 1) }), taskSample("tk_2", { input: bytesOf(MIB, 2) }), taskSample("tk_3")]);
  const [first, second] = await filesOf();
  await rm(first!);
  await truncate(second!, 1_000);
  const lost = (name: string) => ({ lostInput: expect.stringContaining(path.basename(name)) as string });
  const ready = await storage.tasks.ready("resize", null, 3);
  expect(ready.map(({ id }) => id)).toEqual(["tk_1", "tk_2", "tk_3"]);
  expect(ready.slice(0, 2)).toEqual(expect.arrayContaining([expect.objectContaining(lost(first!)), expect.objectContaining(lost(second!))]));
  expect(ready[2]!.lostInput).toBeUndefined();
});

test("an input that can't be read for now is no lost one: the question fails, and is answered when it can", async () => {
  const input = bytesOf(MIB, 1);
  await storage.tasks.insert([taskSample("tk_1", { input })]);
  const [only] = await filesOf();
  await rename(only!, `${only!}.aside`);
  await mkdir(only!);
  await expect(storage.tasks.ready("resize", null, 1)).rejects.toMatchObject({ code: "storage_failed" });
  await rmdir(only!);
  await rename(`${only!}.aside`, only!);
  const [task] = await storage.tasks.ready("resize", null, 1);
  expect(Buffer.compare(task!.input, input)).toBe(0);
});

test("what changed while large inputs were read is not given out any more", async () => {
  await storage.tasks.insert([taskSample("tk_1", { input: bytesOf(MIB, 1) }), taskSample("tk_2", { input: bytesOf(8 * MIB, 2) }), taskSample("tk_3")]);
  const reading = storage.tasks.ready("resize", null, 3);
  const changes = [storage.tasks.change("cancel", { ids: ["tk_2"] }, NOW_MS), complete("tk_3", bytesOf(8, 3))];
  await Promise.all(changes);
  expect((await reading).map(({ id }) => id)).toEqual(["tk_1"]);
});

test("what goes on in a kept container needs no input, also where that is lost", async () => {
  await storage.tasks.insert([taskSample("tk_1", { input: bytesOf(2 * MIB, 1) }), taskSample("tk_2")]);
  await rm((await filesOf())[0]!);
  for (const id of ["tk_1", "tk_2"]) storage.tasks.started(startSample(id, 1));
  const { running } = await storage.tasks.recover(NOW_MS, new Set(["ct_1"]));
  expect(running.map(({ task }) => task.id)).toEqual(["tk_1", "tk_2"]);
  expect(await storage.tasks.settle(settlementSample(startSample("tk_1", 1)))).toMatchObject({ applied: true });
});

test("a backup is one file, with the large ones in it, whatever is removed meanwhile", async () => {
  const [input, result] = [bytesOf(2 * MIB, 1), bytesOf(MIB, 2)];
  await storage.tasks.insert([taskSample("tk_1", { input, keepMs: HOUR_MS }), taskSample("tk_2", { input })]);
  await complete("tk_1", result);
  const copy = path.join(folder, "copy.db");
  const backingUp = storage.backup(copy);
  while (await storage.tasks.prune(NOW_MS + DAY_MS, 10));
  await backingUp;
  expect(await readdir(folder)).toEqual(expect.arrayContaining(["copy.db"]));
  expect((await readdir(folder)).filter((name) => name.startsWith("copy.db"))).toEqual(["copy.db"]);
  await storage.flush();
  const own = await filesOf();
  const { tasks } = await open(copy);
  const second = await tasks.get("tk_2");
  expect(Buffer.compare(second!.input!, input)).toBe(0);
  // The prune may have come before the copy: then the task is in neither.
  const first = await tasks.get("tk_1");
  if (first) expect(Buffer.compare(first.result!.bytes, result)).toBe(0);
  expect(own).toHaveLength(1);
  expect(await filesOf(copy)).toEqual([]);
  const check = new DatabaseSync(copy, { readOnly: true });
  expect(check.prepare("PRAGMA integrity_check").get()).toMatchObject({ integrity_check: "ok" });
  check.close();
});

test("a backup in the place of its original reads what it has, and takes no file of it", async () => {
  await storage.tasks.insert([taskSample("tk_1", { input: bytesOf(MIB, 1) })]);
  const copy = path.join(folder, "copy.db");
  await storage.backup(copy);
  await storage.tasks.insert([taskSample("tk_2", { input: bytesOf(MIB, 2) })]);
  await storage.close();
  const before = await filesOf();
  for (const name of ["samovar.db", "samovar.db-wal", "samovar.db-shm"]) await rm(path.join(folder, name), { force: true });
  await writeFile(file, await readFile(copy));
  const { tasks } = await open(file);
  expect((await tasks.get("tk_1"))?.input).toHaveLength(MIB);
  expect(await filesOf()).toEqual(before);
});

test("a backup without a file that is lost has all else", async () => {
  await storage.tasks.insert([taskSample("tk_1", { input: bytesOf(MIB, 1) }), taskSample("tk_2")]);
  await rm((await filesOf())[0]!);
  await storage.backup(path.join(folder, "copy.db"));
  const { tasks } = await open(path.join(folder, "copy.db"));
  expect(await tasks.ready("resize", null, 2)).toMatchObject([{ id: "tk_1", lostInput: expect.any(String) as string }, { id: "tk_2" }]);
});
