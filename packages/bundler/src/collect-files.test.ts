import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { linkSync, statSync, chmodSync, mkdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import type { Bundle } from "./bundle.ts";
import { createCode } from "./code-object.ts";
import { collectFiles } from "./collect-files.ts";
import { HashCache } from "./hash-cache.ts";
import { makeFolder, writeFiles } from "./project.fixture.ts";

const names = async (root: string): Promise<string[]> => (await collectFiles({ root })).files.map((file) => file.path);

/** Long enough ago that the hash of a file is kept. */
function age(file: string, second: number): void {
  utimesSync(file, second, second);
}

test("all files come with path, hash, size and mode, sorted; packages, histories, secrets and logs don't", async () => {
  const root = makeFolder({
    "app.ts": "app",
    "data/ü ñ 語.txt": "name",
    "data/with space.txt": "",
    "run.sh": "#!/bin/sh",
    "node_modules/x/index.js": "",
    "lib/node_modules/y/index.js": "",
    ".git/HEAD": "",
    ".env": "SECRET=1",
    ".env.local": "SECRET=1",
    "config/.env": "SECRET=1",
    "out.log": "",
    ".DS_Store": "",
    "coverage/index.html": "",
    "app.samovar.mjs": "",
    ".config.json": "{}",
  });
  chmodSync(path.join(root, "run.sh"), 0o750);
  const { files, notes } = await collectFiles({ root });
  expect(notes).toEqual([]);
  expect(files.map((file) => [file.path, file.sizeBytes, file.mode])).toEqual([
    [".config.json", 2, 0o644],
    ["app.ts", 3, 0o644],
    ["data/with space.txt", 0, 0o644],
    ["data/ü ñ 語.txt", 4, 0o644],
    ["run.sh", 9, 0o755],
  ]);
  expect(files[1]?.sha256).toBe(createHash("sha256").update("app").digest("hex"));
});

test(".samovarignore is read as .gitignore is, nested ones too, and may take defaults back", async () => {
  const root = makeFolder({
    ".samovarignore": "# comment\n*.bin\n/only-here.txt\n!keep.bin\n!.env.example\ndata/**/raw/\n",
    "a.bin": "",
    "keep.bin": "",
    "only-here.txt": "",
    "sub/only-here.txt": "",
    ".env.example": "",
    "data/x/raw/big.txt": "",
    "data/x/fine.txt": "",
    "sub/.samovarignore": "*.txt\n!b.bin\n",
    "sub/b.bin": "",
    "sub/c.bin": "",
    "sub/deep/d.txt": "",
    "sub/deep/e.md": "",
  });
  expect(await names(root)).toEqual([".env.example", "data/x/fine.txt", "keep.bin", "sub/b.bin", "sub/deep/e.md"]);
});

test("a link inside of the folder is followed; one that leads out, nowhere or round is left out and named", async () => {
  const outside = makeFolder({ "passwords.txt": "secret" });
  const root = makeFolder({ "real/a.txt": "a", "real/deep/b.txt": "b", ".env": "SECRET=1" });
  const link = (target: string, name: string): void => symlinkSync(target, path.join(root, name));
  link("real/a.txt", "file-link.txt");
  link("real", "folder-link");
  link(path.join(outside, "passwords.txt"), "escape.txt");
  link(outside, "escape-folder");
  link("../../../../../../../../etc/passwd", "relative-escape");
  link("nothing-there", "dangling");
  link("..", "real/deep/up");
  link(".env", "renamed.txt");
  const { files, notes } = await collectFiles({ root });
  expect(files.map((file) => file.path)).toEqual(["file-link.txt", "folder-link/a.txt", "folder-link/deep/b.txt", "real/a.txt", "real/deep/b.txt"]);
  expect(notes.map((note) => note.split(" ")[0]).sort()).toEqual([
    "dangling",
    "escape-folder",
    "escape.txt",
    "folder-link/deep/up",
    "real/deep/up",
    "relative-escape",
  ]);
});

test("sockets and pipes are passed over", async () => {
  const root = makeFolder({ "a.txt": "" });
  const server = createServer().listen(path.join(root, "s.sock"));
  onTestFinished(() => void server.close());
  await once(server, "listening");
  // Opening it would wait for ever.
  execFileSync("sh", ["-c", "mkfifo pipe"], { cwd: root });
  expect(await names(root)).toEqual(["a.txt"]);
});

test("a name that could mean something else on another machine is left out and named", async () => {
  const root = makeFolder();
  writeFileSync(path.join(root, "a\\b.txt"), "");
  const { files, notes } = await collectFiles({ root });
  expect(files).toEqual([]);
  expect(notes).toEqual([`The name of "a\\\\b.txt" contains a backslash: it was left out`]);
});

test("too much is refused before anything is read, with the largest named and the way out", async () => {
  const root = makeFolder({ "small.txt": "x" });
  writeFiles(root, { "models/huge.bin": "", "models/large.bin": "" });
  // Sparse: as large as it says, and nothing on the disk.
  truncateSync(path.join(root, "models/huge.bin"), 101 * 1024 * 1024);
  const cache = new HashCache();
  await expect(collectFiles({ root, cache })).rejects.toMatchObject({
    code: "bundle_failed",
    message: expect.stringMatching(/100 MiB.*models\/huge\.bin \(101 MiB\).*\.samovarignore/),
  });
  expect(cache.hashedCount).toBe(0);

  truncateSync(path.join(root, "models/huge.bin"), 90 * 1024 * 1024);
  truncateSync(path.join(root, "models/large.bin"), 50 * 1024 * 1024);
  await expect(collectFiles({ root, limits: { maxTotalBytes: 128 * 1024 * 1024 } })).rejects.toThrow(
    /come to 140 MiB.*128 MiB.*models\/huge\.bin \(90 MiB\), models\/large\.bin \(50 MiB\)/,
  );
  await expect(collectFiles({ root, limits: { maxFiles: 2 } })).rejects.toThrow(/More than 2 files.*models\/ \(2\)/);
  writeFiles(root, { ".samovarignore": "models/" });
  expect(await names(root)).toEqual(["small.txt"]);
});

test("only what changed is read again", async () => {
  const root = makeFolder({ "a.txt": "a", "b.txt": "b" });
  const cache = new HashCache({ now: () => Date.now() + 60_000 });
  const first = await collectFiles({ root, cache });
  expect(cache.hashedCount).toBe(2);
  expect(await collectFiles({ root, cache })).toEqual(first);
  expect(cache.hashedCount).toBe(2);
  // The same size and modification time: the inode's own change time still tells.
  age(path.join(root, "a.txt"), 1_000);
  await collectFiles({ root, cache });
  writeFiles(root, { "a.txt": "A" });
  age(path.join(root, "a.txt"), 1_000);
  const changed = await collectFiles({ root, cache });
  expect(cache.hashedCount).toBe(4);
  expect(changed.files[0]?.sha256).not.toBe(first.files[0]?.sha256);
});

test("a file that changed just now is not trusted to stay as it was hashed", async () => {
  const root = makeFolder({ "a.txt": "a" });
  const cache = new HashCache({ now: () => Date.now() - 60_000 });
  await collectFiles({ root, cache });
  await collectFiles({ root, cache });
  expect(cache.hashedCount).toBe(2);
});

const BUNDLE: Bundle = {
  file: "/p/app.ts",
  root: "/p",
  syncs: true,
  entry: "app.samovar.mjs",
  code: Buffer.from("code"),
  map: Buffer.from("map"),
  inputs: [],
  nativePackages: [],
  nodeModules: [],
  notes: [],
};

test("the code's id is that of its contents: paths, modes, entry and node_modules included", async () => {
  const root = makeFolder({ "a.txt": "a", "z.txt": "z" });
  const { files } = await collectFiles({ root });
  const id = createCode(BUNDLE, files).object.codeId;
  expect(createCode({ ...BUNDLE }, files.toReversed()).object.codeId).toBe(id);
  const others = [
    createCode({ ...BUNDLE, code: Buffer.from("else") }, files),
    createCode({ ...BUNDLE, entry: "b.samovar.mjs" }, files),
    createCode({ ...BUNDLE, nodeModules: ["/p/node_modules"] }, files),
    createCode(BUNDLE, files.slice(1)),
    createCode(
      BUNDLE,
      files.map((file) => ({ ...file, mode: 0o755 })),
    ),
  ].map((code) => code.object.codeId);
  expect(new Set([id, ...others]).size).toBe(6);
});

test("each content can be read by its hash, and no other", async () => {
  const root = makeFolder({ "a.txt": "a content", "app.samovar.mjs": "stale" });
  mkdirSync(path.join(root, "empty"));
  const { files } = await collectFiles({ root });
  const code = createCode(BUNDLE, files);
  const contents = await Promise.all(code.object.files.map(async (file) => [file.path, await text(code.readContent(file.sha256))]));
  expect(contents).toEqual([
    ["a.txt", "a content"],
    ["app.samovar.mjs", "code"],
    ["app.samovar.mjs.map", "map"],
  ]);
  expect(() => code.readContent("0".repeat(64))).toThrow("No file of this code");
});

test("an excluded folder never travels, nor through a link, whatever .samovarignore says", async () => {
  const root = makeFolder({ "app.ts": "", "home/code/app.ts": "", "homely.txt": "", ".samovarignore": "!home\n" });
  symlinkSync("home", path.join(root, "link"));
  const { files } = await collectFiles({ root, exclude: [path.join(root, "home")] });
  expect(files.map((file) => file.path)).toEqual(["app.ts", "homely.txt"]);
});

test("an excluded file never travels, under whatever name it is found", async () => {
  const root = makeFolder({ "app.ts": "", "out.txt": "", "other.txt": "" });
  linkSync(path.join(root, "out.txt"), path.join(root, "same.txt"));
  const { files } = await collectFiles({ root, excludeFiles: [statSync(path.join(root, "out.txt"))] });
  expect(files.map((file) => file.path)).toEqual(["app.ts", "other.txt"]);
});
