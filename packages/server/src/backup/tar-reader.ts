import { createHash } from "node:crypto";
import { BLOCK, PAX_FLAG, parseHeader, parsePax, toPadding, type TarEntry } from "./tar-format.ts";

/** Records of long paths: a path that needs more is none of ours. */
const MAX_PAX_BYTES = 64 * 1024;

export interface ReadEntry extends TarEntry {
  /** SHA-256 of all before this entry, hex. */
  readonly sha256Before: string;
  /** Its bytes; what of them isn't read is passed over. */
  readonly content: AsyncIterable<Buffer>;
}

/** What is wrong with an archive, in words that follow its name. */
export class TarDamage extends Error {
  override readonly name = "TarDamage";
}

/** The entries of a tar archive in order. Throws `TarDamage` for one that was cut off or is none. */
export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<ReadEntry> {
  const bytes = new ByteReader(source);
  try {
    for (;;) {
      const sha256Before = bytes.sha256;
      const entry = await readHeader(bytes);
      if (entry === null) return;
      const content = bytes.upTo(entry.size);
      yield { ...entry, sha256Before, content };
      for await (const _rest of content);
      await bytes.exactly(toPadding(entry.size));
    }
  } finally {
    await bytes.close();
  }
}

async function readHeader(bytes: ByteReader): Promise<TarEntry | null> {
  let pax: Record<string, string> = {};
  for (;;) {
    const header = parseHeader(await bytes.exactly(BLOCK), pax);
    if (header === null) return null;
    if (header === undefined) throw new TarDamage(bytes.consumed === BLOCK ? "is no tar archive" : "is damaged: where an entry should begin is none");
    const { type, size } = header;
    if (type !== PAX_FLAG) return { ...header, type };
    if (size > MAX_PAX_BYTES) throw new TarDamage("is damaged: a path in it has no end");
    const records = parsePax(await bytes.exactly(size));
    await bytes.exactly(toPadding(size));
    if (!records) throw new TarDamage("is damaged: the path of an entry can't be read");
    pax = records;
  }
}

/** Bytes of a stream, as many as are asked for; hashed as they are given out. */
class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  readonly #hash = createHash("sha256");
  #rest: Buffer = Buffer.alloc(0);
  consumed = 0;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  get sha256(): string {
    return this.#hash.copy().digest("hex");
  }

  /** At least one and at most `max`. */
  async some(max: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done) throw new TarDamage("ends in the middle: it was not copied whole");
      this.#rest = next.value;
    }
    const given = this.#rest.subarray(0, max);
    this.#rest = this.#rest.subarray(given.length);
    this.#hash.update(given);
    this.consumed += given.length;
    return given;
  }

  /** So many, in parts; whoever leaves the loop may go on with another. */
  upTo(count: number): AsyncIterable<Buffer> {
    let left = count;
    const next = async (): Promise<IteratorResult<Buffer, undefined>> => {
      if (left === 0) return { done: true, value: undefined };
      const value = await this.some(left);
      left -= value.length;
      return { done: false, value };
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async exactly(count: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let left = count; left > 0;) {
      const part = await this.some(left);
      parts.push(part);
      left -= part.length;
    }
    return Buffer.concat(parts);
  }
}
