import { mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
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
afterEach(() => rm(dir, { recursive: true, maxRetries: 5 }));

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

test("a content that an earlier process left is hashed once; a damaged one is removed and asked for again", async () => {
  const [good, bad] = [sha256("good"), sha256("bad")];
  for (const content of ["good", "bad"]) await store.put(sha256(content), piecesOf(content));
  const later = new BlobStore(dir, clock);
  await writeFile(later.path(bad), "altered");
  await expect(later.verify([good, bad, good])).rejects.toMatchObject({
    code: "storage_failed",
    message: `The content ${bad} was damaged on disk and has been removed: send it again (deploy or run again)`,
  });
  expect(await later.missing([good, bad])).toEqual([bad]);
  await later.put(bad, piecesOf("bad"));
  await later.verify([good, bad]);
  // Known by now: not read again.
  await rm(later.path(good));
  await later.verify([good, bad]);
});

test("all damaged contents are told and removed at once", async () => {
  const hashes = [sha256("a"), sha256("b")];
  for (const content of ["a", "b"]) await store.put(sha256(content), piecesOf(content));
  for (const hash of hashes) await writeFile(store.path(hash), "altered");
  const later = new BlobStore(dir, clock);
  await expect(later.verify(hashes)).rejects.toThrow(/^2 contents were damaged on disk and have been removed, the first is /);
  expect(await later.missing(hashes)).toEqual(hashes);
});
