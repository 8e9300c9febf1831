import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { silentLogger, systemClock } from "@samovar/kit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openSqliteStorage } from "./sqlite-storage.ts";
import type { Storage } from "./storage.ts";
import { settlementSample, startSample, taskSample } from "./task-samples.fixture.ts";

const MIB = 1024 * 1024;
const run = (command: string, ...args: readonly string[]): unknown => execFileSync(command, args);
const canMount = process.getuid?.() === 0 && process.platform === "linux";

// A file system that is really full needs a mount, which only root makes: otherwise sqlite-batch.test.ts has SQLite's own limit.
describe.skipIf(!canMount)("a disk that is full (needs root, to mount a small one)", () => {
  let folder: string;
  const opened: Storage[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "samovar-storage-"));
    run("mount", "-t", "tmpfs", "-o", "size=8m", "samovar-test", folder);
  });

  afterEach(async () => {
    // What a test that failed has left open would keep it busy. Closing again is no error; with a full disk it may be one.
    await Promise.allSettled(opened.splice(0).map((storage) => storage.close()));
    run("umount", folder);
    await rm(folder, { recursive: true, maxRetries: 5 });
  });

  test("fails writers by name, keeps what it acknowledged, and goes on when there is room, with the starts that it held", async () => {
    const file = path.join(folder, "samovar.db");
    const ballast = path.join(folder, "ballast");
    await writeFile(ballast, new Uint8Array(4 * MIB));
    const open = async (): Promise<Storage> => {
      const storage = await openSqliteStorage({ file, logger: silentLogger, clock: systemClock });
      opened.push(storage);
      return storage;
    };
    let storage = await open();
    const acknowledged: string[] = [];
    let failure: unknown;
    for (let i = 0; failure === undefined; i++) {
      const ids = [`tk_${i}_a`, `tk_${i}_b`];
      const results = await Promise.allSettled(ids.map((id) => storage.tasks.insert([taskSample(id, { input: new Uint8Array(20_000) })])));
      for (const [index, result] of results.entries()) {
        if (result.status === "fulfilled") acknowledged.push(ids[index]!);
        else failure = result.reason;
      }
    }
    const full = { code: "storage_failed", message: expect.stringContaining(`The disk of ${file} is full, free some space`) as string };
    expect(failure).toMatchObject(full);
    expect(acknowledged.length).toBeGreaterThan(20);

    // What is acknowledged can be read, and started; its end is refused as long as there is no room for it.
    const [first] = await storage.tasks.ready("resize", null, 1);
    const start = startSample(first!.id, 1);
    storage.tasks.started(start);
    const large = settlementSample(start, { result: { encoding: "raw", bytes: new Uint8Array(MIB - 1) } });
    await expect(storage.tasks.settle(large)).rejects.toMatchObject(full);
    // Its start neither, by itself: it goes with its end, and then nothing is left that could not be written.
    await expect(storage.flush()).rejects.toMatchObject(full);

    // What would lie in a file neither, and leaves nothing.
    const files = { code: "storage_failed", message: expect.stringMatching(`^The disk of ${file}-large/.* is full, free some space`) as string };
    const inFile = settlementSample(start, { result: { encoding: "raw", bytes: new Uint8Array(4 * MIB) } });
    await expect(storage.tasks.settle(inFile)).rejects.toMatchObject(files);
    await expect(storage.tasks.insert([taskSample("tk_large", { input: new Uint8Array(4 * MIB) })])).rejects.toMatchObject(files);
    expect((await readdir(`${file}-large`, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())).toEqual([]);

    await truncate(ballast, 0);
    expect(await storage.tasks.settle(large)).toEqual({ applied: true, isReady: false });
    expect(await storage.tasks.insert([taskSample("tk_later")])).toMatchObject([{ inserted: true }]);
    await storage.flush();
    await storage.close();

    storage = await open();
    const { tasks } = await storage.tasks.list({}, { limit: 10_000, cursor: null });
    expect(new Set(tasks.map(({ id }) => id))).toEqual(new Set([...acknowledged, "tk_later"]));
    expect(tasks.filter(({ status }) => status === "COMPLETE").map(({ id }) => id)).toEqual([first!.id]);
    await storage.close();
  });
});
