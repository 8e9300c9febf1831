import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { acquireHomeLock } from "./lock.ts";
import { createHome, type HomePaths } from "./paths.ts";

let home: HomePaths;
const children = new Set<ChildProcess>();

beforeEach(async () => void (home = createHome(await mkdtemp(join(tmpdir(), "samovar-lock-")))));
afterEach(async () => {
  for (const child of children) await kill(child);
  await rm(home.root, { recursive: true, maxRetries: 5 });
});

/** Another process that takes the lock, announces itself, collects what nobody refers to any more, and waits to be killed. */
async function holdElsewhere(): Promise<ChildProcess> {
  const source = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
  const script = `
    import { acquireHomeLock } from ${source("./lock.ts")};
    import { createHome } from ${source("./paths.ts")};
    acquireHomeLock(createHome(${JSON.stringify(home.root)})).announce({ pid: process.pid, url: "http://127.0.0.1:1", startedAtMs: 1 });
    setInterval(() => {}, 60_000);
    setImmediate(() => {
      gc();
      console.log("held");
    });`;
  const child = spawn(process.execPath, ["--conditions=samovar-source", "--expose-gc", "--input-type=module-typescript", "-e", script], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.add(child);
  await Promise.race([once(child.stdout!, "data"), once(child, "exit").then(() => Promise.reject(new Error("It ended without the lock")))]);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  children.delete(child);
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

test("one process holds a home; the other is told who, and kill -9 of the holder frees it", async () => {
  const child = await holdElsewhere();
  expect(() => acquireHomeLock(home)).toThrow(expect.objectContaining({ code: "home_locked" }));
  expect(() => acquireHomeLock(home)).toThrow(`Another server (pid ${child.pid}, http://127.0.0.1:1) holds the home ${home.root}`);
  await kill(child);
  const lock = acquireHomeLock(home);
  expect(() => acquireHomeLock(home)).toThrow(/holds the home/);
  lock.release();
});

test("released, it can be taken again, and nobody is announced", () => {
  const lock = acquireHomeLock(home);
  lock.announce({ pid: 1, url: "http://127.0.0.1:1", startedAtMs: 1 });
  expect(existsSync(home.serverFile)).toBe(true);
  lock.release();
  expect(existsSync(home.serverFile)).toBe(false);
  acquireHomeLock(home).release();
});

test("a holder that is not ready yet is told without its address", () => {
  const lock = acquireHomeLock(home);
  expect(() => acquireHomeLock(home)).toThrow(`Another server holds the home ${home.root}`);
  lock.release();
});

test("homes do not hinder each other", async () => {
  const other = createHome(join(home.root, "other"));
  const lock = acquireHomeLock(home);
  expect(() => acquireHomeLock(other).release()).not.toThrow();
  lock.release();
});
