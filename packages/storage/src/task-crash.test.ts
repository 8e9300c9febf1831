import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { silentLogger, systemClock } from "@samovar/kit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSqliteStorage } from "./sqlite-storage.ts";

const ROUNDS = 6;
const WRITER = fileURLToPath(new URL("./acknowledging-tasks.fixture.ts", import.meta.url));

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "samovar-storage-"));
});

afterEach(() => rm(folder, { recursive: true, maxRetries: 5 }));

/** What was acknowledged before the kill, which comes some time after so many lines: between two commits, or in one. */
async function writeAndKill(file: string, round: number, lines: number): Promise<string[]> {
  const child = spawn(process.execPath, ["--conditions=samovar-source", WRITER, file, String(round)], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const acknowledged: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line);
    if (acknowledged.length === lines) child.kill("SIGKILL");
  }
  await exited;
  expect(child.signalCode).toBe("SIGKILL");
  return acknowledged;
}

test(`a writer that is killed ${ROUNDS} times has lost nothing that it acknowledged, and ended nothing twice`, { timeout: 180_000 }, async () => {
  const file = path.join(folder, "samovar.db");
  const acknowledged: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    acknowledged.push(...(await writeAndKill(file, round, 1 + Math.floor(Math.random() * 600))));
    const storage = await openSqliteStorage({ file, logger: silentLogger, clock: systemClock });
    await storage.tasks.recover(Date.now());
    const settled = acknowledged.filter((line) => line.startsWith("settled ")).map((line) => line.slice("settled ".length));
    expect(settled.length).toBe(new Set(settled).size);
    const kept = new Map<string, string>();
    const told = new Set<string>();
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof storage.tasks.list>> = await storage.tasks.list({}, { limit: 1_000, cursor });
      for (const task of page.tasks) {
        kept.set(task.id, task.status);
        const completed = task.attempts.filter(({ outcome }) => outcome === "complete");
        expect(completed).toHaveLength(task.status === "COMPLETE" ? 1 : 0);
        if (task.status === "COMPLETE" && task.callbackUrl !== null) told.add(task.id);
        expect(task.attempts.map(({ number }) => number)).toEqual(task.attempts.map((_, index) => index + 1));
      }
      cursor = page.cursor;
    } while (cursor !== null);
    const lost = acknowledged.filter((line) => {
      const [what, id] = line.split(" ");
      const status = kept.get(id!);
      return what === "settled" ? status !== "COMPLETE" : status === undefined;
    });
    expect(lost).toEqual([]);
    // Each end of a task that has a URL has its callback, and only one.
    const callbacks = (await storage.callbacks.due(Number.MAX_SAFE_INTEGER, 100_000)).callbacks.map(({ taskId }) => taskId);
    expect(callbacks.toSorted()).toEqual([...told].toSorted());
    for (const id of settled.slice(-20)) expect(Buffer.from((await storage.tasks.get(id))!.result!.bytes).toString()).toBe(id);
    // The line of the key goes on: one of them is ready, and the counts are what is there.
    const pending = [...kept.values()].filter((status) => status === "PENDING").length;
    expect(await storage.tasks.counts("resize")).toEqual(pending === 0 ? {} : { PENDING: pending });
    expect(pending === 0 || (await storage.tasks.ready("resize", null, 1)).length === 1).toBe(true);
    await storage.close();
  }
});
