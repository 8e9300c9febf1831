import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { makeFolder } from "./project.fixture.ts";
import { makeTempFolder, removeLeftFolders } from "./temp-folder.ts";

afterEach(() => void vi.unstubAllEnvs());

const HOUR_MS = 3_600_000;
/** Of a process that is gone, and whose number is not anybody's. */
const deadPid = spawnSync(process.execPath, ["-e", ""]).pid;

test("what a process that was killed left is removed an hour later, and nothing else", async () => {
  const root = makeFolder({ "outside/kept.txt": "kept" });
  const nowMs = Date.now();
  const old = new Date(nowMs - HOUR_MS);
  const make = (name: string, changedAt: Date): void => {
    const folder = path.join(root, name);
    mkdirSync(folder);
    writeFileSync(path.join(folder, "tsconfig.json"), "{}");
    symlinkSync(path.join(root, "outside"), path.join(folder, "link"));
    utimesSync(folder, changedAt, changedAt);
  };
  make(`samovar-types-${deadPid}-abc123`, old);
  make(`samovar-host-${deadPid}-abc123`, old);
  const kept = [
    `samovar-types-${deadPid}-young1`,
    `samovar-types-${process.pid}-alive1`,
    `samovar-doctor-${deadPid}-abc123`,
    `samovar-types-${deadPid}`,
    `x-samovar-types-${deadPid}-abc123`,
  ];
  for (const name of kept) make(name, name.includes("young") ? new Date(nowMs) : old);
  symlinkSync(path.join(root, "outside"), path.join(root, `samovar-types-${deadPid}-linked`));
  writeFileSync(path.join(root, `samovar-types-${deadPid}-afile1`), "");

  await removeLeftFolders(root, nowMs);
  expect(readdirSync(root).toSorted()).toEqual([...kept, `samovar-types-${deadPid}-afile1`, `samovar-types-${deadPid}-linked`, "outside"].toSorted());
  expect(existsSync(path.join(root, "outside/kept.txt"))).toBe(true);
});

test("a folder has a name by which it is found again, and stays while its process lives", async () => {
  vi.stubEnv("TMPDIR", makeFolder());
  const folder = await makeTempFolder("types");
  expect(path.basename(folder)).toMatch(new RegExp(`^samovar-types-${process.pid}-[A-Za-z0-9]{6}$`));
  await removeLeftFolders(path.dirname(folder), Date.now() + 2 * HOUR_MS);
  expect(existsSync(folder)).toBe(true);
});
