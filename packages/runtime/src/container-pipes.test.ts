import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PipeReader, PipeStock, closePipes, makePipes, openPipes, reopenPipes, type PipeReader as Reader } from "./container-pipes.ts";

/** Resolves with all that was written, when `wanted` was. */
function readUntil(reader: Reader, wanted: string): Promise<string> {
  let text = "";
  return new Promise((resolve) => reader.read((chunk) => (text += chunk.toString()).includes(wanted) && resolve(text)));
}

test("what comes before somebody reads is kept, the last of it, and then told at once", () => {
  const stream = new PassThrough();
  const reader = new PipeReader(stream);
  for (let i = 0; i < 300; i++) stream.emit("data", Buffer.alloc(1_024, i % 256));
  const told: Buffer[] = [];
  reader.read((chunk) => told.push(chunk));
  expect(Buffer.concat(told)).toHaveLength(256 * 1_024);
  stream.emit("data", Buffer.from("now"));
  expect(told.at(-1)!.toString()).toBe("now");
  expect(told[0]![0]).toBe(44);
});

// Elsewhere the driver has Node's own pipes.
describe.skipIf(process.platform !== "linux")("pipes with names", () => {
  let folder: string;
  beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), "samovar-pipes-"))));
  afterEach(() => rm(folder, { recursive: true, maxRetries: 5 }));

  test("a program that writes without a reader goes on, and whoever opens them next reads it", async () => {
    await makePipes([folder]);
    const { pipes, ends, closeEnds } = openPipes(folder);
    const child = spawn("sh", ["-c", "echo first; read _; echo second; echo told >&3; read _"], { stdio: ["pipe", ends.stdout, ends.stderr, ends.life] });
    closeEnds();
    expect(await readUntil(pipes.stdout, "first")).toBe("first\n");
    closePipes(pipes);
    await Promise.all([pipes.stdout.closed, pipes.stderr.closed, pipes.life.closed]);
    child.stdin!.write("\n");
    const again = reopenPipes(folder);
    expect(await readUntil(again.life, "told")).toBe("told\n");
    expect(await readUntil(again.stdout, "second")).toBe("second\n");
    child.stdin!.write("\n");
    // Their end is the program's.
    await Promise.all([once(child, "exit"), again.life.closed, again.stdout.closed]);
    closePipes(again);
  });

  test("those that are made ahead are each one container's, and nothing stays of the others", async () => {
    const stock = new PipeStock(join(folder, "stock"));
    const names = Array.from({ length: 20 }, (_, i) => join(folder, `ct_${i}`));
    await Promise.all(names.map((name) => mkdir(name)));
    await Promise.all(names.map((name) => stock.take(name)));
    for (const name of names) closePipes(reopenPipes(name));
    await stock.dispose();
    expect(await readdir(folder)).not.toContain("stock");
  });

  test("where none can be made, whoever needs them is told", async () => {
    const stock = new PipeStock("/proc/none");
    await expect(stock.take(folder)).rejects.toThrow(/proc/);
    await expect(stock.take(folder)).rejects.toThrow(/proc/);
    await stock.dispose();
  });
});
