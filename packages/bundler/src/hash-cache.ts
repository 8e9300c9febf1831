import { createHash } from "node:crypto";
import { createReadStream, type BigIntStats } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

export interface HashedFile {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly mode: number;
}

/**
 * Hashes of files by content, kept as long as a file's size, times and inode stay: a reload reads only what changed.
 * A file that changed a moment before it was hashed is hashed again the next time, as one more change may have
 * fallen into the same tick of the file system's clock.
 */
export class HashCache {
  readonly #known = new Map<string, { readonly key: string; readonly sha256: string }>();
  readonly #now: () => number;
  #hashed = 0;

  /** `now`: the time by which the file system's stamps are judged. */
  constructor({ now = Date.now }: { readonly now?: () => number } = {}) {
    this.#now = now;
  }

  /** How many files were read so far. */
  get hashedCount(): number {
    return this.#hashed;
  }

  /** Rejects as `fs` does when the file is gone or can't be read. */
  async hash(file: string): Promise<HashedFile> {
    const stats = await stat(file, { bigint: true });
    const key = keyOf(stats);
    const mode = (stats.mode & 0o111n) === 0n ? 0o644 : 0o755;
    const known = this.#known.get(file);
    if (known?.key === key) return { sha256: known.sha256, sizeBytes: Number(stats.size), mode };

    this.#hashed++;
    const hash = createHash("sha256");
    let sizeBytes = 0;
    await pipeline(createReadStream(file, { highWaterMark: 256 * 1024 }), async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        sizeBytes += chunk.length;
        hash.update(chunk);
      }
    });
    const sha256 = hash.digest("hex");
    if (this.#now() - Number(stats.ctimeMs) > SETTLED_AFTER_MS) this.#known.set(file, { key, sha256 });
    else this.#known.delete(file);
    return { sha256, sizeBytes, mode };
  }

  /** Forgets files that are no longer there. */
  keepOnly(files: ReadonlySet<string>): void {
    for (const file of this.#known.keys()) if (!files.has(file)) this.#known.delete(file);
  }
}

const SETTLED_AFTER_MS = 20;

function keyOf(stats: BigIntStats): string {
  return `${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}:${stats.ino}:${stats.dev}`;
}
