import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeClock, silentLogger } from "@samovar/kit";
import { codeOf, piecesOf, sha256, type TestCode } from "../testing/code.fixture.ts";
import { BlobStore } from "./blob-store.ts";
import { CodeStore } from "./code-store.ts";

let root: string;
let blobs: BlobStore;
let store: CodeStore;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "samovar-code-"));
  blobs = new BlobStore(join(root, "blobs"), new FakeClock());
  store = new CodeStore(join(root, "code"), blobs, silentLogger);
});
afterEach(() => rm(root, { recursive: true, maxRetries: 5 }));

async function send(code: TestCode): Promise<TestCode["object"]> {
  for (const content of code.contents) await blobs.put(sha256(content), piecesOf(content));
  return code.object;
}

const folders = async (): Promise<string[]> => (await readdir(join(root, "code")).catch(() => [])).toSorted();

test("code is put together from its contents, with the modes it had", async () => {
  const object = await send(codeOf({ "app.mjs": "export {};", "lib/run.sh": "#!/bin/sh" }));
  const mount = await store.hold().place(object);
  expect(mount).toEqual({ codeId: object.codeId, sourceDir: join(root, "code", object.codeId), entry: "app.mjs", nodeModules: [] });
  expect(await readFile(join(mount.sourceDir, "app.mjs"), "utf8")).toBe("export {};");
  expect((await stat(join(mount.sourceDir, "lib/run.sh"))).mode & 0o777).toBe(0o755);
  expect((await stat(blobs.path(sha256("#!/bin/sh")))).mode & 0o777).toBe(0o600);
});

test.each(["../evil.mjs", "/etc/evil", "a/../../evil", "a//b", "a\\b"])("the path %j is refused", async (path) => {
  const object = await send(codeOf({ "app.mjs": "a", [path]: "b" }));
  await expect(store.hold().place(object)).rejects.toMatchObject({ code: "invalid_request", message: expect.stringContaining(JSON.stringify(path)) });
  expect(await folders()).toEqual([]);
});

test("an id that is not the code's hash, an entry that is not there and relative module folders are refused", async () => {
  const { object } = codeOf({ "app.mjs": "a" });
  await expect(store.hold().place({ ...object, codeId: sha256("other") })).rejects.toThrow(/is not the hash of this code/);
  await expect(store.hold().place({ ...object, codeId: "../../x" })).rejects.toThrow(/is not the hash of this code/);
  await expect(store.hold().place(codeOf({ "app.mjs": "a" }, { entry: "main.mjs" }).object)).rejects.toThrow("The entry main.mjs is not among the files");
  for (const dir of ["node_modules", "/etc", "/project/../etc/node_modules", "/project/node_modules/.."])
    await expect(store.hold().place(codeOf({ "app.mjs": "a" }, { nodeModules: [dir] }).object)).rejects.toThrow(
      /not the absolute path of a folder node_modules/,
    );
});

test("contents that were never sent are told, nothing is left, and the next try works", async () => {
  const code = codeOf({ "app.mjs": "a", "b.txt": "b" });
  const hold = store.hold();
  await expect(hold.place(code.object)).rejects.toThrow(/^2 contents of this code were never sent; the first is /);
  expect(await folders()).toEqual([]);
  await send(code);
  await hold.place(code.object);
  expect(await folders()).toEqual([code.object.codeId]);
});

test("many that place the same code at once share one folder", async () => {
  const object = await send(codeOf({ "app.mjs": "a" }));
  const mounts = await Promise.all(Array.from({ length: 10 }, () => store.hold().place(object)));
  expect(new Set(mounts.map((mount) => mount.sourceDir)).size).toBe(1);
  expect(await folders()).toEqual([object.codeId]);
});

test("a folder goes with its last holder, and not before", async () => {
  const object = await send(codeOf({ "app.mjs": "a" }));
  const [first, second] = [store.hold(), store.hold()];
  await Promise.all([first.place(object), first.place(object), second.place(object)]);
  first.release();
  first.release();
  await store.settled();
  expect(await folders()).toEqual([object.codeId]);
  second.release();
  await store.settled();
  expect(await folders()).toEqual([]);
});

test("code that is placed again while it is removed is there, however often", async () => {
  const object = await send(codeOf({ "app.mjs": "a" }));
  for (let i = 0; i < 5; i++) {
    const hold = store.hold();
    const placed = hold.place(object);
    if (i % 2 === 0) await placed;
    hold.release();
    await placed;
  }
  const last = await store.hold().place(object);
  await store.settled();
  expect(await readFile(join(last.sourceDir, "app.mjs"), "utf8")).toBe("a");
  expect(await folders()).toEqual([object.codeId]);
});

test("on top of a build the code's own files win, both are kept apart, and both go", async () => {
  const object = await send(codeOf({ "app.mjs": "new" }));
  const build = join(root, "build");
  await mkdir(build);
  await writeFile(join(build, "app.mjs"), "old");
  await writeFile(join(build, "model.bin"), "built");
  const hold = store.hold();
  const code = await hold.place(object);
  const built = await hold.onTopOf(code, "key", build);
  expect(built.codeId).not.toBe(code.codeId);
  expect([await readFile(join(built.sourceDir, "app.mjs"), "utf8"), await readFile(join(built.sourceDir, "model.bin"), "utf8")]).toEqual(["new", "built"]);
  expect(await readdir(code.sourceDir)).toEqual(["app.mjs"]);
  hold.release();
  await store.settled();
  expect(await folders()).toEqual([]);
});

test("contents that were altered on disk become no code, and sending them again heals it", async () => {
  const code = codeOf({ "app.mjs": "a", "b.txt": "b" });
  await send(code);
  await writeFile(blobs.path(sha256("a")), "altered");
  blobs = new BlobStore(join(root, "blobs"), new FakeClock());
  const later = new CodeStore(join(root, "code"), blobs, silentLogger);
  await expect(later.hold().place(code.object)).rejects.toMatchObject({ code: "storage_failed", message: expect.stringContaining(sha256("a")) });
  expect(await folders()).toEqual([]);
  expect(await blobs.missing(code.object.files.map((file) => file.sha256))).toEqual([sha256("a")]);
  await send(code);
  const mount = await later.hold().place(code.object);
  expect(await readFile(join(mount.sourceDir, "app.mjs"), "utf8")).toBe("a");
});

test("a folder that an earlier process left and that was altered since is made again", async () => {
  const code = codeOf({ "app.mjs": "a", "run.sh": "b" });
  const { sourceDir } = await store.hold().place(await send(code));
  // The content's own file, too: they are one by a link.
  await writeFile(join(sourceDir, "app.mjs"), "altered");
  blobs = new BlobStore(join(root, "blobs"), new FakeClock());
  const later = new CodeStore(join(root, "code"), blobs, silentLogger);
  const hold = later.hold();
  hold.keep(code.object.codeId);
  await expect(hold.place(code.object)).rejects.toMatchObject({ code: "storage_failed" });
  await send(code);
  await hold.place(code.object);
  expect(await readFile(join(sourceDir, "app.mjs"), "utf8")).toBe("a");
  expect(await folders()).toEqual([code.object.codeId]);
});

test("a folder that is gone from disk is made again when its code is placed, held or kept", async () => {
  const object = await send(codeOf({ "app.mjs": "a" }));
  const first = store.hold();
  const { sourceDir } = await first.place(object);
  await rm(sourceDir, { recursive: true, maxRetries: 5 });
  await Promise.all([first.place(object), store.hold().place(object), store.hold().place(object)]);
  expect(await readFile(join(sourceDir, "app.mjs"), "utf8")).toBe("a");
  await rm(sourceDir, { recursive: true, maxRetries: 5 });
  const later = new CodeStore(join(root, "code"), blobs, silentLogger);
  later.hold().keep(object.codeId);
  await later.hold().place(object);
  expect(await folders()).toEqual([object.codeId]);
});
