import { appendFile, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "@samovar/kit";
import type { LogLine } from "@samovar/protocol";
import type { LogQuery } from "@samovar/scheduler";

/** Lines of all containers that are kept in memory; older ones are read from the containers' files. */
const MEMORY_LINES = 5_000;
const MEMORY_BYTES = 8 * 1024 * 1024;
/** A container's file is begun anew past this, one older file is kept. */
const FILE_BYTES = 8 * 1024 * 1024;
/** Lines that wait for the disk; past this the disk is too slow and they are counted instead. */
const UNWRITTEN_BYTES = 4 * 1024 * 1024;

interface OpenFile {
  unwritten: string[];
  unwrittenBytes: number;
  dropped: number;
  writing: boolean;
  sizeBytes: number;
}

/**
 * What containers wrote: the last lines in memory for whoever asks, pushed to whoever follows, and appended to one
 * file per container. Memory and files are bounded, whatever a container writes.
 */
export class LogStore {
  readonly #dir: string;
  readonly #logger: Logger;
  #lines: LogLine[] = [];
  #bytes = 0;
  readonly #followers = new Set<{ readonly query: LogQuery; line(line: LogLine): void }>();
  readonly #files = new Map<string, OpenFile>();
  #writes: Promise<unknown> = Promise.resolve();

  constructor(dir: string, logger: Logger) {
    this.#dir = dir;
    this.#logger = logger;
  }

  append(line: LogLine): void {
    this.#lines.push(line);
    this.#bytes += line.text.length;
    // Trimmed by the half, so that a flood doesn't shift a long array at each line.
    if (this.#lines.length > MEMORY_LINES * 1.5 || this.#bytes > MEMORY_BYTES * 1.5) this.#trim();
    for (const follower of this.#followers) if (matches(line, follower.query)) follower.line(line);
    this.#write(line);
  }

  /** Lines of what is asked: first the last ones, then, following, what comes. */
  query(query: LogQuery, sink: { line(line: LogLine): void; end(): void }): () => void {
    let ended = false;
    const deliver = (past: readonly LogLine[]): void => {
      if (ended) return;
      for (const line of past) sink.line(line);
      if (query.follow) this.#followers.add(follower);
      else sink.end();
    };
    const follower = { query, line: (line: LogLine) => sink.line(line) };
    const past = this.#lines.filter((line) => matches(line, query)).slice(-query.tail || this.#lines.length);
    if (query.tail === 0) deliver([]);
    else if (past.length > 0 || query.containerId === null) deliver(past);
    else void this.#read(query.containerId).then((lines) => deliver(lines.slice(-query.tail)));
    return () => {
      ended = true;
      this.#followers.delete(follower);
    };
  }

  get followerCount(): number {
    return this.#followers.size;
  }

  /** All that was appended is in the files. */
  async flush(): Promise<void> {
    for (let before: unknown; before !== this.#writes;) {
      before = this.#writes;
      await before;
    }
  }

  #trim(): void {
    let at = Math.max(0, this.#lines.length - MEMORY_LINES);
    for (let i = 0; i < at; i++) this.#bytes -= this.#lines[i]!.text.length;
    while (this.#bytes > MEMORY_BYTES && at < this.#lines.length) this.#bytes -= this.#lines[at++]!.text.length;
    this.#lines = this.#lines.slice(at);
  }

  #write(line: LogLine): void {
    let file = this.#files.get(line.containerId);
    if (!file) {
      file = { unwritten: [], unwrittenBytes: 0, dropped: 0, writing: false, sizeBytes: 0 };
      this.#files.set(line.containerId, file);
    }
    if (file.unwrittenBytes > UNWRITTEN_BYTES) {
      file.dropped++;
      return;
    }
    const text = `${JSON.stringify(line)}\n`;
    file.unwritten.push(text);
    file.unwrittenBytes += text.length;
    if (file.writing) return;
    file.writing = true;
    const done = this.#drain(line.containerId, file).catch((error: unknown) =>
      this.#logger.warn({ containerId: line.containerId, error: String(error) }, "Log lines could not be written"),
    );
    this.#writes = Promise.all([this.#writes, done]);
  }

  async #drain(containerId: string, file: OpenFile): Promise<void> {
    const path = this.#path(containerId);
    try {
      while (file.unwritten.length > 0) {
        const text = file.unwritten.join("");
        file.unwritten = [];
        file.unwrittenBytes = 0;
        if (file.dropped > 0) this.#logger.warn({ containerId, dropped: file.dropped }, "Log lines were not kept: the disk did not keep up");
        file.dropped = 0;
        if (file.sizeBytes === 0)
          file.sizeBytes = await stat(path).then(
            (found) => found.size,
            () => 0,
          );
        if (file.sizeBytes + text.length > FILE_BYTES) {
          await rename(path, `${path}.1`).catch(() => {});
          file.sizeBytes = 0;
        }
        await appendFile(path, text, { mode: 0o600 });
        file.sizeBytes += text.length;
      }
    } finally {
      file.writing = false;
      this.#files.delete(containerId);
    }
  }

  async #read(containerId: string): Promise<LogLine[]> {
    const text = await readFile(this.#path(containerId), "utf8").catch(() => "");
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as LogLine);
  }

  #path(containerId: string): string {
    return join(this.#dir, `${containerId.replaceAll(/[^\w-]/g, "_")}.ndjson`);
  }
}

function matches(line: LogLine, query: LogQuery): boolean {
  return (
    (query.name === null || line.function.toLowerCase() === query.name.toLowerCase()) && (query.containerId === null || line.containerId === query.containerId)
  );
}
