import { chmod, lstat, mkdir, mkdtemp, readFile, readdir, readlink, rm, stat, symlink, truncate, writeFile, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeClock, silentLogger } from "@samovar/kit";
import { openSqliteStorage, type Storage, type VersionRecord } from "@samovar/storage";
import { acquireHomeLock } from "../home/lock.ts";
import { createHome, type HomePaths } from "../home/paths.ts";
import { backUpHome } from "./back-up-home.ts";
import { restoreHome } from "./restore-home.ts";
import { TarWriter } from "./tar-writer.ts";

const NOW_MS = Date.UTC(2026, 10, 22, 12);
const CODE = "a".repeat(64);
const BUILT = "b".repeat(64);

let dir: string;
let clock: FakeClock;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "samovar-backup-"));
  clock = new FakeClock(NOW_MS);
});
afterEach(async () => rm(dir, { recursive: true, maxRetries: 5 }));

const versionOf = (name: string): VersionRecord => ({
  name,
  version: 1,
  functionId: "fn_1",
  deployId: "dp_1",
  deployedAtMs: NOW_MS,
  app: "models",
  manifest: { name, kind: "function" } as VersionRecord["manifest"],
  functionIds: {},
  code: { codeId: CODE, entry: "main.mjs", nodeModules: [] },
  builtCode: { "[]": { codeId: BUILT, entry: "main.mjs", nodeModules: [] } },
  onDeployValue: null,
});

/** A home with one deployment whose code has a link, a program and a name that needs its quotes. */
async function makeHome(name = "old"): Promise<{ home: HomePaths; storage: Storage; backUp: (to: string) => Promise<void> }> {
  const home = createHome(join(dir, name));
  const storage = await openSqliteStorage({ file: home.database, logger: silentLogger, clock });
  await storage.deployments.begin(["predict"]);
  await storage.deployments.activate("models", [versionOf("predict")], []);
  for (const codeId of [CODE, BUILT]) {
    await mkdir(join(home.code, codeId, "sub dir"), { recursive: true });
    await writeFile(join(home.code, codeId, "main.mjs"), `// ${codeId}`);
    await writeFile(join(home.code, codeId, "sub dir", "run ü.sh"), "#!/bin/sh");
    await chmod(join(home.code, codeId, "sub dir", "run ü.sh"), 0o755);
  }
  await symlink("sub dir/run ü.sh", join(home.code, BUILT, "run"));
  await writeFile(join(home.root, "callback-secret"), "c2VjcmV0\n");
  await writeFile(join(home.root, "admin-token"), "smv_admin\n");
  return { home, storage, backUp: (to) => backUpHome(to, { home, storage, clock, version: "1.2.3" }) };
}

async function makeBackup(): Promise<string> {
  const { storage, backUp } = await makeHome();
  const file = join(dir, "backup.tar");
  await backUp(file);
  await storage.close();
  return file;
}

const namesIn = async (root: string): Promise<string[]> => (await readdir(root)).toSorted();

test("a home comes back elsewhere: deployments, their code with modes and links, the callback secret", async () => {
  const file = await makeBackup();
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await namesIn(dir)).toEqual(["backup.tar", "old"]);

  const root = join(dir, "new");
  const restored = await restoreHome({ file, home: root, replace: false, clock });
  expect(restored).toEqual({ home: root, createdAtMs: NOW_MS, deployments: 1, missingCode: [], aside: null });
  const home = createHome(root);
  const storage = await openSqliteStorage({ file: home.database, logger: silentLogger, clock });
  const { deployments, versions } = await storage.deployments.load();
  await storage.close();
  expect([deployments[0]?.name, versions]).toEqual(["predict", [versionOf("predict")]]);
  expect(await readFile(join(home.code, BUILT, "main.mjs"), "utf8")).toBe(`// ${BUILT}`);
  expect((await stat(join(home.code, CODE, "sub dir", "run ü.sh"))).mode & 0o777).toBe(0o755);
  expect(await readlink(join(home.code, BUILT, "run"))).toBe("sub dir/run ü.sh");
  expect(await readFile(join(root, "callback-secret"), "utf8")).toBe("c2VjcmV0\n");
  const names = await namesIn(root);
  expect(names).not.toContain("admin-token");
  expect(names.filter((name) => /partial|replaced/.test(name))).toEqual([]);
});

test("a backup is never put over a file, and needs a path of its own", async () => {
  const { storage, backUp } = await makeHome();
  const file = join(dir, "taken");
  await writeFile(file, "mine");
  await expect(backUp(file)).rejects.toMatchObject({ code: "conflict" });
  await expect(backUp("relative.tar")).rejects.toMatchObject({ code: "invalid_request" });
  await expect(backUp(join(dir, "gone", "b.tar"))).rejects.toMatchObject({ code: "storage_failed" });
  await storage.close();
  expect([await readFile(file, "utf8"), await namesIn(dir)]).toEqual(["mine", ["old", "taken"]]);
});

test("a home with a state is left as it is, unless it may be moved aside; then all of it is there still", async () => {
  const file = await makeBackup();
  const home = createHome(join(dir, "old"));
  await writeFile(join(home.code, CODE, "main.mjs"), "later");
  await expect(restoreHome({ file, home: home.root, replace: false, clock })).rejects.toMatchObject({
    code: "conflict",
    fields: { fix: expect.stringContaining("--force") as string },
  });
  expect(await readFile(join(home.code, CODE, "main.mjs"), "utf8")).toBe("later");

  const { aside } = await restoreHome({ file, home: home.root, replace: true, clock });
  expect(aside).toBe(join(home.root, "replaced-2026-11-22T12-00-00.000Z"));
  expect(await namesIn(aside!)).toEqual(["callback-secret", "code", "samovar.db"]);
  expect(await readFile(join(aside!, "code", CODE, "main.mjs"), "utf8")).toBe("later");
  expect(await readFile(join(home.code, CODE, "main.mjs"), "utf8")).toBe(`// ${CODE}`);
  expect(await readFile(join(home.root, "admin-token"), "utf8")).toBe("smv_admin\n");
});

test("a home that a server holds is not touched", async () => {
  const file = await makeBackup();
  const home = createHome(join(dir, "old"));
  const lock = acquireHomeLock(home);
  await expect(restoreHome({ file, home: home.root, replace: true, clock })).rejects.toMatchObject({ code: "home_locked" });
  lock.release();
});

test("a version that is deleted meanwhile makes it begin anew: none is there without its code", async () => {
  const { home, storage } = await makeHome();
  let copies = 0;
  const backup = async (to: string): Promise<void> => {
    await storage.backup(to);
    if (copies++ > 0) return;
    await storage.deployments.remove("predict");
    for (const codeId of [CODE, BUILT]) await rm(join(home.code, codeId), { recursive: true, maxRetries: 5 });
  };
  const file = join(dir, "b.tar");
  await backUpHome(file, { home, storage: { deployments: storage.deployments, backup }, clock, version: "1" });
  await storage.close();
  expect([copies, await namesIn(dir)]).toEqual([2, ["b.tar", "old"]]);
  expect(await restoreHome({ file, home: join(dir, "new"), replace: false, clock })).toMatchObject({ deployments: 0, missingCode: [] });
});

test("code that is gone is named", async () => {
  const { home, storage, backUp } = await makeHome();
  await rm(join(home.code, BUILT), { recursive: true, maxRetries: 5 });
  const file = join(dir, "b.tar");
  await backUp(file);
  await storage.close();
  expect(await restoreHome({ file, home: join(dir, "new"), replace: false, clock })).toMatchObject({ missingCode: ["predict"] });
});

test("a database alone is taken, too, and leaves the code of its home", async () => {
  const { home, storage } = await makeHome();
  const file = join(dir, "copy.db");
  await storage.backup(file);
  await storage.close();
  const restored = await restoreHome({ file, home: home.root, replace: true, clock });
  expect(restored).toMatchObject({ createdAtMs: null, deployments: 1, missingCode: [] });
  expect(await namesIn(restored.aside!)).toEqual(["samovar.db"]);
});

async function damage(file: string, at: number): Promise<void> {
  const handle = await open(file, "r+");
  const { size } = await handle.stat();
  const position = Math.floor(size * at);
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, position);
  byte[0]! ^= 0xff;
  await handle.write(byte, 0, 1, position);
  await handle.close();
}

test.each([
  ["cut off", (file: string) => truncate(file, 40_000), /ends in the middle/],
  ["changed in its first half", (file: string) => damage(file, 0.4), /Nothing was changed/],
  ["changed near its end", (file: string) => damage(file, 0.85), /Nothing was changed/],
  ["empty", (file: string) => truncate(file, 0), /ends in the middle|is empty/],
  ["something else", (file: string) => writeFile(file, "hello ".repeat(500)), /is no tar archive/],
])("a backup that is %s is refused, and nothing is changed", async (_name, spoil, message) => {
  const file = await makeBackup();
  await spoil(file);
  const before = [...(await namesIn(join(dir, "old"))), "lock"].toSorted();
  await expect(restoreHome({ file, home: join(dir, "old"), replace: true, clock })).rejects.toThrow(message);
  expect(await namesIn(join(dir, "old"))).toEqual(before);
});

test("a file that is gone and another program's database are named", async () => {
  await expect(restoreHome({ file: join(dir, "gone"), home: join(dir, "new"), replace: false, clock })).rejects.toMatchObject({ code: "invalid_request" });
  const file = join(dir, "other.db");
  const database = new DatabaseSync(file);
  database.exec("CREATE TABLE things (id INTEGER); PRAGMA user_version = 3");
  database.close();
  await expect(restoreHome({ file, home: join(dir, "new"), replace: false, clock })).rejects.toThrow(/another program/);
});

/** An archive with the right beginning and end, and this between. */
async function forge(entries: readonly { type: "file" | "folder" | "link"; path: string; target?: string }[]): Promise<string> {
  const path = join(dir, "forged.tar");
  const file = await open(path, "w");
  const tar = new TarWriter(file);
  const rest = { mode: 0o644, modifiedAtMs: NOW_MS };
  await tar.add({ type: "file", path: "samovar-backup.json", target: "", ...rest }, Buffer.from('{"format":1,"version":"1","createdAtMs":1}'));
  for (const { type, path: at, target = "" } of entries) await tar.add({ type, path: at, target, ...rest }, Buffer.from(type === "file" ? "evil" : ""));
  await tar.add({ type: "file", path: "samovar-backup.sha256", target: "", ...rest }, Buffer.from(tar.sha256));
  await tar.end();
  await file.close();
  return path;
}

test.each([
  [[{ type: "file", path: "../evil" }], /which no backup has/],
  [[{ type: "file", path: "/tmp/evil" }], /which no backup has/],
  [[{ type: "file", path: `code/${CODE}/../../evil` }], /which no backup has/],
  [[{ type: "file", path: "code/../evil" }], /which no backup has/],
  [[{ type: "file", path: "admin-token" }], /which no backup has/],
  [[{ type: "folder", path: "samovar.db" }], /which no backup has/],
  [[{ type: "link", path: "samovar.db", target: "x" }], /leaves its code/],
  [[{ type: "link", path: `code/${CODE}`, target: "x" }], /leaves its code/],
  [[{ type: "link", path: `code/${CODE}/out`, target: "../../../.." }], /leaves its code/],
  [[{ type: "link", path: `code/${CODE}/out`, target: "/etc" }], /leaves its code/],
  [
    [
      { type: "file", path: `code/${CODE}/a` },
      { type: "file", path: `code/${CODE}/a` },
    ],
    /a path twice/,
  ],
  [
    [
      { type: "link", path: `code/${CODE}/in`, target: "b" },
      { type: "file", path: `code/${CODE}/in/x` },
    ],
    /a path twice/,
  ],
  [[], /has no database/],
] as const)("an archive with %j is refused", async (entries, message) => {
  const file = await forge(entries);
  await expect(restoreHome({ file, home: join(dir, "new"), replace: false, clock })).rejects.toThrow(message);
  expect((await namesIn(dir)).toSorted()).toEqual(["forged.tar", "new"]);
  expect((await lstat(join(dir, "new"))).isDirectory()).toBe(true);
  expect((await namesIn(join(dir, "new"))).filter((name) => /db|evil|partial/.test(name))).toEqual([]);
});
