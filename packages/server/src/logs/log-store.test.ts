import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { LogLine } from "@samovar/protocol";
import { silentLogger, type Logger } from "@samovar/kit";
import { LogStore, type LogLimits } from "./log-store.ts";

let dir: string;
const opened: LogStore[] = [];

beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), "samovar-logs-"))));
afterEach(async () => {
  // What was appended last may still be on its way to its file.
  for (const store of opened.splice(0)) await store.flush();
  await rm(dir, { recursive: true, maxRetries: 5 });
});

const line = (text: string, containerId = "ct_1", name = "hello"): LogLine => ({
  atMs: 1,
  containerId,
  function: name,
  workerIndex: 0,
  stream: "stdout",
  level: "info",
  source: { kind: "worker" },
  text,
});

/** One that has nothing but its memory. */
const openWithoutFiles = (limits: Partial<LogLimits>): LogStore => new LogStore(join(dir, "gone"), silentLogger, limits);

function open(limits: Partial<LogLimits> = {}, logger: Logger = silentLogger): LogStore {
  const store = new LogStore(dir, logger, limits);
  opened.push(store);
  return store;
}

interface Asked {
  readonly name?: string;
  readonly containerId?: string;
  readonly taskId?: string;
  readonly tail?: number;
}

const toQuery = ({ name, containerId, taskId, tail }: Asked, follow: boolean) => ({
  name: name ?? null,
  containerId: containerId ?? null,
  ...(taskId === undefined ? {} : { taskId }),
  tail: tail ?? 100,
  follow,
});

/** The texts of a query that does not follow. */
function last(store: LogStore, asked: Asked): Promise<string[]> {
  const texts: string[] = [];
  return new Promise((resolve) => {
    store.query(toQuery(asked, false), { line: ({ text }) => texts.push(text), end: () => resolve(texts) });
  });
}

/** A query that follows: what came, and a wait for a text. */
function follow(store: LogStore, asked: Asked) {
  const texts: string[] = [];
  const waiting = new Map<string, () => void>();
  const stop = store.query(toQuery(asked, true), {
    line({ text }) {
      texts.push(text);
      waiting.get(text)?.();
    },
    end() {},
  });
  return { texts, stop, until: (text: string) => new Promise<void>((resolve) => (texts.includes(text) ? resolve() : void waiting.set(text, resolve))) };
}

test("the last lines come by function in any case, by container, or all; no tail means none", async () => {
  const store = open();
  for (const [atMs, text, id, name] of [
    [1, "a", "ct_1", "hello"],
    [2, "b", "ct_2", "hello"],
    [3, "c", "ct_3", "other"],
  ] as const)
    store.append({ ...line(text, id, name), atMs });
  expect(await last(store, {})).toEqual(["a", "b", "c"]);
  expect(await last(store, { name: "HELLO" })).toEqual(["a", "b"]);
  expect(await last(store, { containerId: "ct_2" })).toEqual(["b"]);
  expect(await last(store, { tail: 1 })).toEqual(["c"]);
  expect(await last(store, { tail: 0 })).toEqual([]);
  expect([...(await store.names())].toSorted()).toEqual(["hello", "other"]);
  await store.flush();
});

test("a follower gets the last lines and then what concerns it, until it leaves", async () => {
  const store = open();
  store.append(line("before"));
  const { texts, stop, until } = follow(store, { name: "hello" });
  store.append(line("now"));
  await until("now");
  store.append(line("not mine", "ct_2", "other"));
  stop();
  store.append(line("too late"));
  expect(texts).toEqual(["before", "now"]);
  await store.flush();
});

test("lines of an earlier server are read from the container's file; a line that was cut is left out", async () => {
  const earlier = open();
  earlier.append(line("one"));
  earlier.append(line("two"));
  await earlier.flush();
  await writeFile(join(dir, "ct_1.ndjson"), `${await readFile(join(dir, "ct_1.ndjson"), "utf8")}{"atMs":1,"te`);
  expect(await last(open(), { containerId: "ct_1" })).toEqual(["one", "two"]);
  expect(await last(open(), { containerId: "ct_1", tail: 1 })).toEqual(["two"]);
  expect(await last(open(), { containerId: "ct_never" })).toEqual([]);
  // One that was taken back has lines of this server, too, which don't go on in the line that was cut.
  const store = open();
  store.append(line("three"));
  expect(await last(store, { containerId: "ct_1" })).toEqual(["one", "two", "three"]);
});

test("lines that come while the file is read are delivered after it, none lost and none twice", async () => {
  const earlier = open();
  earlier.append(line("old"));
  await earlier.flush();
  const store = open();
  const { texts, until } = follow(store, { containerId: "ct_1" });
  // All in one turn: the read has not even begun, and the same lines go to the same file.
  const expected = Array.from({ length: 50 }, (_, i) => `new ${i}`);
  for (const text of expected) store.append(line(text));
  store.append(line("of another", "ct_2"));
  await until("new 49");
  store.append(line("after"));
  expect(texts).toEqual(["old", ...expected, "after"]);
  await store.flush();
});

test("a follower that leaves while the file is read gets nothing", async () => {
  const earlier = open();
  earlier.append(line("old"));
  await earlier.flush();
  const store = open();
  const { texts, stop } = follow(store, { containerId: "ct_1" });
  stop();
  store.append(line("new"));
  await store.flush();
  expect(await last(store, { containerId: "ct_1" })).toEqual(["old", "new"]);
  expect(texts).toEqual([]);
});

test("a container's lines that memory had no room for are read from its file", async () => {
  const store = open({ memoryLines: 4 });
  for (let i = 0; i < 20; i++) {
    store.append(line(`mine ${i}`));
    store.append(line(`other ${i}`, "ct_2"));
  }
  expect(await last(store, { containerId: "ct_1", tail: 10 })).toEqual(Array.from({ length: 10 }, (_, i) => `mine ${i + 10}`));
  await store.flush();
});

test("a file is begun anew past its bound, one older is kept, and both are read", async () => {
  const store = open({ fileBytes: 2_000, memoryLines: 2 });
  for (let i = 0; i < 60; i++) {
    store.append(line(`${i}`));
    await store.flush();
  }
  expect((await readdir(dir)).toSorted()).toEqual(["ct_1.ndjson", "ct_1.ndjson.1"]);
  for (const name of await readdir(dir)) expect((await stat(join(dir, name))).size).toBeLessThanOrEqual(2_000);
  const texts = await last(store, { containerId: "ct_1", tail: 1_000 });
  expect(texts.at(-1)).toBe("59");
  const inFile = (await readFile(join(dir, "ct_1.ndjson"), "utf8")).trim().split("\n").length;
  expect(texts.length).toBeGreaterThan(inFile);
  expect(texts).toEqual(Array.from({ length: texts.length }, (_, i) => `${60 - texts.length + i}`));
});

test("of a function come the last lines of all its containers in order of time, those of earlier servers too", async () => {
  const at = (atMs: number, text: string, containerId: string, name?: string): LogLine => ({ ...line(text, containerId, name), atMs });
  const first = open();
  for (const each of [at(1, "a", "ct_ended"), at(3, "c", "ct_ended"), at(2, "b", "ct_lives"), at(5, "e", "ct_lives"), at(4, "-", "ct_other", "other")])
    first.append(each);
  await first.flush();
  const store = open();
  for (const each of [at(6, "f", "ct_lives"), at(7, "g", "ct_new")]) store.append(each);
  expect(await last(store, { name: "HELLO" })).toEqual(["a", "b", "c", "e", "f", "g"]);
  expect(await last(store, { name: "hello", tail: 4 })).toEqual(["c", "e", "f", "g"]);
  expect(await last(store, { name: "hello", tail: 2 })).toEqual(["f", "g"]);
  expect(await last(store, { name: "other" })).toEqual(["-"]);
  expect(await last(store, {})).toEqual(["a", "b", "c", "-", "e", "f", "g"]);
  expect([...(await store.names())].toSorted()).toEqual(["hello", "other"]);
  await store.flush();
});

test("who follows a function gets what earlier servers left and what comes meanwhile, none lost and none twice", async () => {
  const earlier = open();
  earlier.append(line("old"));
  await earlier.flush();
  const store = open({ memoryLines: 20 });
  const early = Array.from({ length: 40 }, (_, i) => `early ${i}`);
  for (const text of early) store.append(line(text));
  const { texts, until } = follow(store, { name: "hello", tail: 1_000 });
  const late = Array.from({ length: 15 }, (_, i) => `late ${i}`);
  for (const text of late) store.append(line(text));
  store.append(line("of a new container", "ct_2"));
  await until("of a new container");
  store.append(line("after"));
  expect(texts).toEqual(["old", ...early, ...late, "of a new container", "after"]);
  await store.flush();
});

test("of a function's long past only what is asked for is held, whole lines from the end of its files on", async () => {
  const earlier = open({ fileBytes: 40_000 });
  const name = (text: string): string => text.slice(0, text.indexOf(" "));
  for (let i = 0; i < 200; i++) {
    // Some are longer than what is read at a time.
    earlier.append({ ...line(`${i} ${"ü".repeat(i % 50 === 0 ? 10_000 : 100)}`, `ct_${i % 3}`), atMs: i });
    await earlier.flush();
  }
  const texts = await last(open(), { name: "hello", tail: 60 });
  expect(texts.map(name)).toEqual(Array.from({ length: 60 }, (_, i) => `${140 + i}`));
  // Bounded by what all files of one container may have.
  const few = await last(open({ fileBytes: 5_000 }), { name: "hello", tail: 1_000 });
  expect(few.map(name)).toEqual(Array.from({ length: few.length }, (_, i) => `${200 - few.length + i}`));
  expect(few.length).toBeGreaterThan(20);
  expect(few.length).toBeLessThan(60);
});

test("a container's name can't lead out of the folder", async () => {
  const store = open();
  store.append(line("x", "../../evil"));
  await store.flush();
  expect(await readdir(dir)).toEqual(["______evil.ndjson"]);
});

test("memory is bounded by lines", async () => {
  const store = openWithoutFiles({ memoryLines: 4 });
  for (let i = 0; i < 100; i++) store.append(line("x"));
  await store.flush();
  expect((await last(store, {})).length).toBeLessThanOrEqual(6);
});

test("memory is bounded by bytes too", async () => {
  const store = openWithoutFiles({ memoryBytes: 1_000 });
  for (let i = 0; i < 100; i++) store.append(line("x".repeat(100)));
  await store.flush();
  expect((await last(store, {})).length).toBeLessThanOrEqual(15);
});

test("lines that the disk does not keep up with are counted, and told", async () => {
  const told: unknown[] = [];
  const store = open({ unwrittenBytes: 1_000 }, { ...silentLogger, warn: (fields) => void told.push(fields) });
  for (let i = 0; i < 100; i++) store.append(line("x".repeat(100)));
  await store.flush();
  const kept = (await readFile(join(dir, "ct_1.ndjson"), "utf8")).trim().split("\n").length;
  // The next write tells what was left out before it.
  store.append(line("later"));
  await store.flush();
  expect(told).toEqual([{ containerId: "ct_1", dropped: 100 - kept }]);
});

test("a folder that can't be written to costs the files and nothing else", async () => {
  const told: string[] = [];
  const store = new LogStore(join(dir, "gone"), { ...silentLogger, warn: (_fields, message) => void told.push(message) });
  store.append(line("a"));
  await store.flush();
  expect(await last(store, {})).toEqual(["a"]);
  expect(await last(store, { containerId: "ct_2" })).toEqual([]);
  expect(told).toEqual(["Log lines could not be written"]);
});

test("of a task come its own lines, from memory, from files, and as they are written", async () => {
  const store = open({ memoryLines: 2 });
  const of = (text: string, taskId: string, containerId = "ct_1"): LogLine => ({ ...line(text, containerId), source: { kind: "input", taskId } });
  for (const each of [of("a", "tk_1"), of("b", "tk_2"), line("tk_1 is named"), of("c", "tk_1"), of("d", "tk_2"), of("e", "tk_2")]) store.append(each);
  expect(await last(store, { containerId: "ct_1", taskId: "tk_1" })).toEqual(["a", "c"]);
  expect(await last(store, { containerId: "ct_1", taskId: "tk_1", tail: 1 })).toEqual(["c"]);
  expect(await last(store, { containerId: "ct_1", taskId: "tk_3" })).toEqual([]);
  const followed = follow(store, { taskId: "tk_1", tail: 0 });
  for (const each of [of("f", "tk_2"), of("g", "tk_1", "ct_2"), of("h", "tk_1")]) store.append(each);
  expect(followed.texts).toEqual(["g", "h"]);
  followed.stop();
});
