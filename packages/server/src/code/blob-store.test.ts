import { mkdtemp, readFile, readdir, rm, stat, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeClock } from "@samovar/kit";
import { piecesOf, sha256 } from "../testing/code.fixture.ts";
import { BlobStore } from "./blob-store.ts";

let dir: string;
let store: BlobStore;
const clock = new FakeClock(1_700_000_000_000);

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "samovar-blobs-"));
  store = new BlobStore(dir, clock);
});
afterEach(() => rm(dir, { recursive: true }));

const files = async (): Promise<string[]> =>
  (await readdir(dir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => entry.name);

test("a content is kept under its hash", async () => {
  const hash = sha256("hello");
  expect(await store.missing([hash, hash])).toEqual([hash]);
  await store.put(hash, piecesOf("hello"));
  expect(await store.missing([hash])).toEqual([]);
  expect(await readFile(store.path(hash), "utf8")).toBe("hello");
  expect((await stat(store.path(hash))).mode & 0o777).toBe(0o600);
});

test("a content that does not hash to its name is refused, and nothing of it is left", async () => {
  const hash = sha256("hello");
  await expect(store.put(hash, piecesOf("hullo"))).rejects.toMatchObject({ code: "invalid_request", message: expect.stringContaining(sha256("hullo")) });
  expect(await files()).toEqual([]);
  expect(await store.missing([hash])).toEqual([hash]);
});

test("a content that breaks off leaves nothing", async () => {
  const hash = sha256("hello");
  const broken = async function* () {
    yield Buffer.from("hel");
    throw new Error("The caller left");
  };
  await expect(store.put(hash, broken())).rejects.toThrow("The caller left");
  expect(await files()).toEqual([]);
});

test("the same content put by many at once is there once and whole", async () => {
  const content = "x".repeat(10_000);
  const hash = sha256(content);
  await Promise.all(Array.from({ length: 10 }, (_, i) => store.put(hash, piecesOf(content, 100 + i))));
  expect(await files()).toEqual([hash]);
  expect(await readFile(store.path(hash), "utf8")).toBe(content);
});

test("names that are no hashes reach no file", async () => {
  for (const name of ["../../etc/passwd", sha256("a").toUpperCase(), "", `${sha256("a")}/x`]) {
    expect(() => store.path(name)).toThrow(/Not a SHA-256/);
    await expect(store.put(name, piecesOf("a"))).rejects.toMatchObject({ code: "invalid_request" });
  }
});

test("asking for a content counts as its use", async () => {
  const hash = sha256("hello");
  await store.put(hash, piecesOf("hello"));
  await utimes(store.path(hash), 1, 1);
  await store.missing([hash]);
  expect((await stat(store.path(hash))).mtimeMs).toBe(clock.now());
});
