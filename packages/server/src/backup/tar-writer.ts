import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { BLOCK, toHeader, toPadding, type TarEntry } from "./tar-format.ts";

/** Small entries gather up to here before they are written. */
const GATHERED_BYTES = 256 * 1024;
const CHUNK_BYTES = 256 * 1024;

/** Writes a tar archive into an open file, one entry after the other, and hashes what it writes. */
export class TarWriter {
  readonly #file: FileHandle;
  readonly #hash = createHash("sha256");
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** SHA-256 of all so far, hex. */
  get sha256(): string {
    return this.#hash.copy().digest("hex");
  }

  /** A file with this content, a folder or a link. */
  async add(entry: Omit<TarEntry, "size">, content: Buffer = Buffer.alloc(0)): Promise<void> {
    await this.#put(toHeader({ ...entry, size: content.length }));
    await this.#put(content);
    await this.#put(Buffer.alloc(toPadding(content.length)));
  }

  /** A file as it lies there; it must not change meanwhile. */
  async addFile(entry: Omit<TarEntry, "size" | "type" | "target">, from: FileHandle): Promise<void> {
    const { size } = await from.stat();
    await this.#put(toHeader({ ...entry, type: "file", target: "", size }));
    for (let position = 0; position < size;) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - position));
      const { bytesRead } = await from.read(chunk, 0, chunk.length, position);
      if (bytesRead === 0) throw new Error(`${entry.path} became shorter while it was read`);
      await this.#put(chunk.subarray(0, bytesRead));
      position += bytesRead;
    }
    await this.#put(Buffer.alloc(toPadding(size)));
  }

  async end(): Promise<void> {
    await this.#put(Buffer.alloc(2 * BLOCK));
    await this.#flush();
  }

  async #put(bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    this.#hash.update(bytes);
    this.#gathered.push(bytes);
    this.#gatheredBytes += bytes.length;
    if (this.#gatheredBytes >= GATHERED_BYTES) await this.#flush();
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#gathered);
    this.#gathered = [];
    this.#gatheredBytes = 0;
    await this.#file.writeFile(bytes);
  }
}
