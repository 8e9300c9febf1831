import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { FakeClock, silentLogger, systemClock, type Logger } from "@samovar/kit";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { describeStorage } from "./conformance.ts";
import { LargeFiles } from "./large-files.ts";
import { containerSample, tokenSample } from "./samples.fixture.ts";
import { createThreadStorage, openSqliteStorage, type SqliteStorage, type SqliteStorageOptions } from "./sqlite-storage.ts";
import { openStorageThread, startSqliteWorker } from "./storage-thread.ts";
import { settlementSample, startSample, taskSample } from "./task-samples.fixture.ts";

let folder: string;
const opened: SqliteStorage[] = [];

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "samovar-storage-"));
});

afterEach(async () => {
  for (const storage of opened.splice(0)) await storage.close();
  await rm(folder, { recursive: true, maxRetries: 5 });
});

async function open(changes: Partial<SqliteStorageOptions> = {}): Promise<SqliteStorage> {
  const storage = await openSqliteStorage({ file: path.join(folder, "samovar.db"), logger: silentLogger, clock: systemClock, ...changes });
  opened.push(storage);
  return storage;
}

const LIMITS = { retentionMs: 1_000, maxEndedContainers: 10 };

describeStorage("SQLite", async ({ nowMs, ...limits }) => {
  const own = await mkdtemp(path.join(tmpdir(), "samovar-conformance-"));
  const make = () => openSqliteStorage({ file: path.join(own, "samovar.db"), logger: silentLogger, clock: new FakeClock(nowMs), ...limits });
  let storage = await make();
  return {
    storage,
    async reopen() {
      await storage.close();
      return (storage = await make());
    },
    async dispose() {
      await storage.close();
      await rm(own, { recursive: true, maxRetries: 5 });
    },
  };
});

describe("what was acknowledged lasts", () => {
  test("every insert that a killed process had acknowledged is there", async () => {
    const file = path.join(folder, "samovar.db");
    const writer = fileURLToPath(new URL("./acknowledging-writer.fixture.ts", import.meta.url));
    const child = spawn(process.execPath, ["--conditions=samovar-source", writer, file], { stdio: ["ignore", "pipe", "inherit"] });
    const acknowledged: string[] = [];
    // Ids come as they are acknowledged, without end: the kill falls between commits, or into one.
    for await (const id of createInterface({ input: child.stdout })) {
      acknowledged.push(id);
      if (acknowledged.length === 500) child.kill("SIGKILL");
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    expect(child.signalCode).toBe("SIGKILL");
    const kept = new Set((await (await open({ file })).tokens.list()).map((each) => each.id));
    expect(acknowledged.length).toBeGreaterThanOrEqual(500);
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
  });

  test("one commit serves the callers that came together", async () => {
    const storage = await open();
    await Promise.all(Array.from({ length: 2_000 }, (_, i) => storage.tokens.insert(tokenSample(`to_${i}`))));
    expect(await storage.tokens.list()).toHaveLength(2_000);
    expect(storage.commits).toBeLessThan(100);
  });

  test("the states that a container runs through in one turn are one commit, and questions alone are none", async () => {
    const storage = await open();
    const record = (state: string) => storage.containers.record(containerSample("ct_1", { state }));
    for (const state of ["starting", "loading", "ready"]) record(state);
    await storage.flush();
    expect(storage.commits).toBe(1);
    expect((await storage.containers.get("ct_1"))?.state).toBe("ready");
    expect(storage.commits).toBe(1);
  });

  test("the end of a task that nobody awaits shares the commit of what is asked next, and has one of its own after a moment", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const storage = await open();
      await storage.tasks.insert([taskSample("tk_1"), taskSample("tk_2")]);
      const end = (id: string) => {
        storage.tasks.started(startSample(id, 1));
        return storage.tasks.settle(settlementSample(startSample(id, 1)), { awaited: false });
      };
      const first = end("tk_1");
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      await storage.tasks.insert([taskSample("tk_3")]);
      expect(await first).toMatchObject({ applied: true });
      expect(storage.commits).toBe(2);

      const second = end("tk_2");
      vi.advanceTimersByTime(10);
      expect(await second).toMatchObject({ applied: true });
      expect(storage.commits).toBe(3);

      const third = end("tk_3");
      expect(await storage.tasks.get("tk_3")).toMatchObject({ status: "COMPLETE" });
      await third;
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("when writing fails", () => {
  test("what was recorded waits in memory and is written with the next that succeeds", async () => {
    const file = path.join(folder, "samovar.db");
    const { thread, largeFolder } = await openStorageThread(startSqliteWorker({ file, ...LIMITS, busyTimeoutMs: 1 }), file);
    const logged: string[] = [];
    const log = (_: object, message: string): void => void logged.push(message);
    const storage = createThreadStorage(thread, new LargeFiles(largeFolder), { file, logger: { ...silentLogger, info: log, error: log }, clock: systemClock });
    opened.push(storage);
    const other = new DatabaseSync(file);
    other.exec("BEGIN IMMEDIATE");
    storage.containers.record(containerSample("ct_1"));
    const locked = { code: "storage_failed", message: `${file} could not be read or written: database is locked` };
    await expect(storage.flush()).rejects.toMatchObject(locked);
    await expect(storage.flush()).rejects.toMatchObject(locked);
    storage.containers.record(containerSample("ct_2"));
    other.exec("ROLLBACK");
    other.close();
    await storage.flush();
    expect((await storage.containers.list({ includeEnded: false, limit: 10 })).map((each) => each.id)).toEqual(["ct_2", "ct_1"]);
    expect(logged).toEqual([
      "The history of containers could not be written, it is kept in memory and tried again",
      "The history of containers is written again",
    ]);
  });

  test("a storage thread that dies rejects what was asked and all that comes, and tells once", async () => {
    const file = path.join(folder, "samovar.db");
    const worker = startSqliteWorker({ file, ...LIMITS, busyTimeoutMs: 1 });
    const { thread, largeFolder } = await openStorageThread(worker, file);
    const told: Error[] = [];
    const logged: string[] = [];
    const logger: Logger = { ...silentLogger, error: (_, message) => void logged.push(message) };
    const storage = createThreadStorage(thread, new LargeFiles(largeFolder), { file, logger, clock: systemClock, onFailure: (error) => told.push(error) });
    const pending = Array.from({ length: 50 }, (_, i) =>
      storage.tokens.insert(tokenSample(`to_${i}`)).then(
        () => "kept",
        (error: unknown) => error,
      ),
    );
    const exited = once(worker, "exit");
    await worker.terminate();
    await exited;
    const outcomes = await Promise.all(pending);
    const named = { code: "storage_failed", message: expect.stringContaining(`The storage thread of ${file} ended`) as string };
    for (const outcome of outcomes) if (outcome !== "kept") expect(outcome).toMatchObject(named);
    expect(outcomes.some((outcome) => outcome !== "kept")).toBe(true);
    await expect(storage.tokens.list()).rejects.toMatchObject(named);
    await expect(storage.close()).rejects.toMatchObject(named);
    expect(told).toHaveLength(1);
    expect(logged).toEqual(["The storage thread died"]);
  });
});

test("the storage thread is found from the built package too", async () => {
  const here = fileURLToPath(new URL("..", import.meta.url));
  const run = promisify(execFile);
  const tsc = fileURLToPath(new URL("../bin/tsc", import.meta.resolve("typescript")));
  await run(process.execPath, [tsc, "-b", here]);
  const script = `
    import { openSqliteStorage } from ${JSON.stringify(pathToFileURL(path.join(here, "dist", "index.js")))};
    const storage = await openSqliteStorage({ file: process.argv[1], clock: { now: Date.now }, logger: { info() {}, error: console.error } });
    await storage.tokens.insert(${JSON.stringify(tokenSample("to_1"))});
    console.log((await storage.tokens.list())[0].id);
    await storage.close();`;
  const { stdout } = await run(process.execPath, ["--conditions=samovar-source", "--input-type=module", "--eval", script, path.join(folder, "samovar.db")]);
  expect(stdout.trim()).toBe("to_1");
});
