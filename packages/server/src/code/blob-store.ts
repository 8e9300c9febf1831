import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { SamovarError } from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import { PARTIAL, markUsed } from "../home/retention.ts";

const SHA256 = /^[0-9a-f]{64}$/;

/** Contents by their SHA-256. A content is there whole or not at all. */
export class BlobStore {
  readonly #dir: string;
  readonly #clock: Clock;
  /** What this process has put here or hashed. Of what an earlier one left nobody knows what the disk made of it. */
  readonly #verified = new Set<string>();

  constructor(dir: string, clock: Clock) {
    this.#dir = dir;
    this.#clock = clock;
  }

  path(sha256: string): string {
    if (!SHA256.test(sha256)) throw new SamovarError("invalid_request", `Not a SHA-256 in lower-case hex: ${JSON.stringify(sha256.slice(0, 80))}`);
    return join(this.#dir, sha256.slice(0, 2), sha256);
  }

  /** Those that are not there; the others count as used now. */
  async missing(all: readonly string[]): Promise<string[]> {
    const checked = await Promise.all([...new Set(all)].map(async (sha256) => ((await markUsed(this.path(sha256), this.#clock.now())) ? null : sha256)));
    return checked.filter((sha256) => sha256 !== null);
  }

  /** Hashes those that this process has not seen yet. What isn't what its name says is removed, and refused. */
  async verify(all: readonly string[]): Promise<void> {
    const damaged: string[] = [];
    for (const sha256 of new Set(all)) {
      if (this.#verified.has(sha256)) continue;
      const path = this.path(sha256);
      if ((await hashFile(path)) === sha256) this.#verified.add(sha256);
      // It may have been sent anew meanwhile.
      else if (!this.#verified.has(sha256)) {
        await rm(path, { force: true });
        damaged.push(sha256);
      }
    }
    if (damaged.length === 0) return;
    const what =
      damaged.length === 1
        ? `The content ${damaged[0]} was damaged on disk and has been removed: send it again`
        : `${damaged.length} contents were damaged on disk and have been removed, the first is ${damaged[0]}: send them again`;
    throw new SamovarError("storage_failed", `${what} (deploy or run again)`);
  }

  async put(sha256: string, content: AsyncIterable<Buffer>): Promise<void> {
    const path = this.path(sha256);
    await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
    const partial = `${path}.${randomUUID()}${PARTIAL}`;
    const hash = createHash("sha256");
    // Opened before anything can break off: a stream that opens by itself may make the file after its removal.
    const file = await open(partial, "wx", 0o600);
    try {
      await pipeline(
        content,
        async function* (source: AsyncIterable<Buffer>) {
          for await (const chunk of source) {
            hash.update(chunk);
            yield chunk;
          }
        },
        file.createWriteStream(),
      );
      const actual = hash.digest("hex");
      if (actual !== sha256)
        throw new SamovarError("invalid_request", `The content sent as ${sha256} hashes to ${actual}: it changed on the way, send it again`);
      await rename(partial, path);
      this.#verified.add(sha256);
    } finally {
      await rm(partial, { force: true });
    }
  }
}

export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
