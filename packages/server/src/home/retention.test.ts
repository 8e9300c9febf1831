import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeClock, silentLogger, type Logger } from "@samovar/kit";
import { createHome, type HomePaths } from "./paths.ts";
import { Retention, clearDeadCode, markUsed } from "./retention.ts";

const DAY_MS = 24 * 3_600_000;
const START_MS = 1_700_000_000_000;

let home: HomePaths;
let clock: FakeClock;
let retention: Retention | null;

beforeEach(async () => {
  home = createHome(await mkdtemp(join(tmpdir(), "samovar-home-")));
  clock = new FakeClock(START_MS);
  retention = null;
});
afterEach(async () => {
  await retention?.dispose();
  await rm(home.root, { recursive: true, maxRetries: 5 });
});

const begin = (logger: Logger = silentLogger): Retention =>
  (retention = new Retention({ home, runnerFile: join(home.cache, "runner-1.mjs"), startedAtMs: START_MS, clock, logger }));

/** A file below the home, last used so long before the start; a negative time is after it. */
async function put(path: string, agoMs = 0): Promise<string> {
  const full = join(home.root, path);
  await mkdir(join(full, ".."), { recursive: true });
  await writeFile(full, path);
  await markUsed(full, START_MS - agoMs);
  return full;
}

async function putFolder(path: string, agoMs = 0): Promise<void> {
  await put(join(path, "file"), agoMs);
  await markUsed(join(home.root, path), START_MS - agoMs);
}

const names = async (dir: string): Promise<string[]> => (await readdir(dir)).toSorted();

test("code of an earlier server goes, at once to its place and then for good", async () => {
  await putFolder("code/old");
  await clearDeadCode(home);
  expect(await names(home.code)).toEqual([]);
  await putFolder("code/new");
  await begin().idle;
  expect(await names(home.code)).toEqual(["new"]);
  expect((await names(home.root)).filter((name) => name.startsWith("code"))).toEqual(["code"]);
});

test("code that a deployed version uses stays", async () => {
  await putFolder("code/old");
  await putFolder("code/deployed");
  await clearDeadCode(home, new Set(["deployed"]));
  expect(await names(home.code)).toEqual(["deployed"]);
});

test("code stays for one more start while a container of a dead server lives", async () => {
  await putFolder("code/old");
  await putFolder("containers/ct_1");
  await clearDeadCode(home);
  expect(await names(home.code)).toEqual(["old"]);
});

test("what earlier servers left half made goes, what this one is making stays", async () => {
  for (const dir of ["blobs/ab", "builds", "code"]) {
    await put(`${dir}/1.partial`, 1);
    await put(`${dir}/2.partial`, -1);
    await put(`${dir}/whole`);
  }
  await begin().idle;
  for (const dir of ["blobs/ab", "builds", "code"]) expect(await names(join(home.root, dir))).toEqual(["2.partial", "whole"]);
});

test("runners of earlier servers go, this one's stays", async () => {
  for (const name of ["runner-1.mjs", "runner-2.mjs", "runner-3.partial.mjs", "runner.json"]) await put(`cache/${name}`);
  await begin().idle;
  expect(await names(home.cache)).toEqual(["last-sweep", "runner-1.mjs", "runner.json"]);
});

test("runners of earlier servers stay as long as containers of these do, which start their workers from them", async () => {
  for (const name of ["runner-1.mjs", "runner-2.mjs", "runner-3.partial.mjs"]) await put(`cache/${name}`);
  await putFolder("containers/.pipes", 1);
  await putFolder("containers/ct_own", -1);
  await putFolder("containers/ct_earlier", 1);
  await begin().idle;
  expect(await names(home.cache)).toEqual(["last-sweep", "runner-1.mjs", "runner-2.mjs"]);
  await rm(join(home.containers, "ct_earlier"), { recursive: true, maxRetries: 5 });
  clock.advance(DAY_MS);
  await retention!.idle;
  expect(await names(home.cache)).toEqual(["last-sweep", "runner-1.mjs"]);
});

test("contents, builds, compile caches and logs go when nobody used them for 7 days", async () => {
  for (const [name, agoMs] of [
    ["used", 7 * DAY_MS - 1_000],
    ["unused", 7 * DAY_MS + 1_000],
  ] as const) {
    await put(`blobs/ab/${name}`, agoMs);
    await putFolder(`builds/${name}`, agoMs);
    await putFolder(`cache/compile/${name}`, agoMs);
    await put(`logs/${name}.ndjson`, agoMs);
    await put(`logs/${name}.ndjson.1`, agoMs);
  }
  await put("logs/server.log", 100 * DAY_MS);
  await begin().idle;
  for (const dir of ["blobs/ab", "builds", "cache/compile"]) expect(await names(join(home.root, dir))).toEqual(["used"]);
  expect(await names(home.logs)).toEqual(["server.log", "used.ndjson", "used.ndjson.1"]);
});

test("of logs the 500 that were written last are kept", async () => {
  for (let i = 0; i < 510; i++) await put(`logs/${String(i).padStart(3, "0")}.ndjson`, i * 1_000);
  await begin().idle;
  const left = await names(home.logs);
  expect([left.length, left.at(-1)]).toEqual([500, "499.ndjson"]);
});

test("what is unused is looked for once a day, over starts and while the server runs", async () => {
  await begin().idle;
  await retention!.dispose();
  const old = await put("builds/old", 8 * DAY_MS);
  await begin().idle;
  expect(await names(home.builds)).toEqual(["old"]);
  clock.advance(DAY_MS);
  await retention!.idle;
  expect(await names(home.builds)).toEqual([]);
  await put("builds/old", 8 * DAY_MS);
  clock.advance(DAY_MS - 1);
  await retention!.idle;
  expect(await names(home.builds)).toEqual(["old"]);
  expect(old).toContain(home.builds);
});

test("what can't be removed is told and hinders nothing else", async () => {
  await rm(home.blobs, { recursive: true, maxRetries: 5 });
  await writeFile(home.blobs, "not a folder");
  await rm(home.cache, { recursive: true, maxRetries: 5 });
  await writeFile(home.cache, "not a folder either");
  await putFolder("builds/unused", 8 * DAY_MS);
  const told: string[] = [];
  await begin({ ...silentLogger, warn: (_fields, message) => void told.push(message) }).idle;
  expect(await names(home.builds)).toEqual([]);
  expect(told).toEqual(["What is no longer used can't be removed"]);
});

test("disposed midway it ends, and sets no timer", async () => {
  for (let i = 0; i < 20; i++) await putFolder(`builds/${i}`, 8 * DAY_MS);
  await begin().dispose();
  expect(clock.pending).toBe(0);
  expect((await names(home.builds)).length).toBe(20);
});

test("marking tells whether something is there", async () => {
  const path = await put("builds/x", DAY_MS);
  await utimes(path, 1, 1);
  expect([await markUsed(path, START_MS), await markUsed(`${path}-not`, START_MS)]).toEqual([true, false]);
});
