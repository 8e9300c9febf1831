import { execFileSync } from "node:child_process";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TarDamage, readTar } from "./tar-reader.ts";
import { parseHeader, parsePax, toHeader, type TarEntry } from "./tar-format.ts";
import { TarWriter } from "./tar-writer.ts";

let dir: string;
beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), "samovar-tar-"))));
afterEach(async () => rm(dir, { recursive: true, maxRetries: 5 }));

const LONG = `${"d".repeat(90)}/${"ü".repeat(80)}/file name`;
const modifiedAtMs = 1_700_000_000_000;

async function write(): Promise<Buffer> {
  const path = join(dir, "a.tar");
  const file = await open(path, "w");
  const tar = new TarWriter(file);
  await tar.add({ type: "folder", path: "code", mode: 0o755, modifiedAtMs, target: "" });
  await tar.add({ type: "file", path: "code/a.txt", mode: 0o644, modifiedAtMs, target: "" }, Buffer.from("hello"));
  await tar.add({ type: "file", path: LONG, mode: 0o755, modifiedAtMs, target: "" }, Buffer.alloc(1_000, 7));
  await tar.add({ type: "link", path: "code/link", mode: 0o777, modifiedAtMs, target: `${"x/".repeat(80)}y` });
  await tar.add({ type: "file", path: "empty", mode: 0o600, modifiedAtMs, target: "" });
  await tar.end();
  await file.close();
  return await readFile(path);
}

/** In pieces of a size that no block has. */
async function* inPieces(bytes: Buffer, size = 333): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(bytes: Buffer): Promise<(Pick<TarEntry, "type" | "path" | "target"> & { content: string })[]> {
  const entries = [];
  for await (const { type, path, target, content } of readTar(inPieces(bytes)))
    entries.push({ type, path, target, content: Buffer.concat(await Array.fromAsync(content)).toString("latin1") });
  return entries;
}

test("what is written is read again: folders, files, links, long names and those of other alphabets", async () => {
  expect(await read(await write())).toEqual([
    { type: "folder", path: "code", target: "", content: "" },
    { type: "file", path: "code/a.txt", target: "", content: "hello" },
    { type: "file", path: LONG, target: "", content: "\x07".repeat(1_000) },
    { type: "link", path: "code/link", target: `${"x/".repeat(80)}y`, content: "" },
    { type: "file", path: "empty", target: "", content: "" },
  ]);
});

test("other programs read it too", async () => {
  await write();
  const names = execFileSync("tar", ["-tf", join(dir, "a.tar"), "--quoting-style=literal"], { encoding: "utf8", env: { ...process.env, LC_ALL: "C.UTF-8" } });
  expect(names.trimEnd().split("\n")).toEqual(["code/", "code/a.txt", LONG, "code/link", "empty"]);
});

test("contents that nobody reads are passed over", async () => {
  const paths: string[] = [];
  for await (const { path } of readTar(inPieces(await write()))) paths.push(path);
  expect(paths).toEqual(["code", "code/a.txt", LONG, "code/link", "empty"]);
});

test("cut off anywhere it is refused", async () => {
  const bytes = await write();
  const entries = bytes.length - 1_024;
  for (let at = 0; at <= entries; at += 97) await expect(read(bytes.subarray(0, at))).rejects.toThrow(TarDamage);
});

test("a header that was changed is refused", async () => {
  const bytes = await write();
  bytes[512 + 3]! ^= 1;
  await expect(read(bytes)).rejects.toThrow("where an entry should begin is none");
  await expect(read(Buffer.alloc(2_048, 65))).rejects.toThrow("is no tar archive");
});

test("sizes beyond eleven octal digits stand in a record of their own", () => {
  const header = toHeader({ type: "file", path: "big", size: 2 ** 40, mode: 0o600, modifiedAtMs, target: "" });
  expect(header.length).toBe(3 * 512);
  const pax = parsePax(header.subarray(512, 512 + Number.parseInt(header.toString("latin1", 124, 135), 8)));
  expect(pax).toEqual({ size: String(2 ** 40) });
  expect(parseHeader(header.subarray(1_024), pax!)).toMatchObject({ path: "big", size: 2 ** 40 });
});

test.each(["", "x", "99 a=b\n", "6 =ab\n", "-1 a=b\n", "5 a=b"])("records such as %j are refused", (text) => {
  expect(parsePax(Buffer.from(text === "" ? " " : text))).toBeUndefined();
});
