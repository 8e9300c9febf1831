import { appendFile, open, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "@samovar/kit";
import type { LogLine } from "@samovar/protocol";
import { logFileState, readBackwards, type LogFileState } from "./log-file-reader.ts";

export interface LogFileLimits {
  /** A container's file is begun anew past this, one older file is kept. */
  readonly fileBytes: number;
  /** Of one container, waiting for the disk; past this the disk is too slow and lines are counted instead. */
  readonly unwrittenBytes: number;
}

/** What is to be done with a container's file, in order: text to append, or a look at what was appended before it. */
type Job = string | (() => Promise<void>);

interface OpenFile {
  readonly jobs: Job[];
  unwrittenBytes: number;
  dropped: number;
  sizeBytes: number;
}

/** What a container has on disk at one moment. */
export interface ContainerLog {
  readonly containerId: string;
  readonly newer: LogFileState;
  readonly older: LogFileState | null;
}

/**
 * One file of lines per container, and one older one. Appends to a container's file and looks at it take turns in the
 * order they were asked for, so that a look has all that came before it and nothing that came after.
 */
export class LogFiles {
  readonly #dir: string;
  readonly #logger: Logger;
  readonly #limits: LogFileLimits;
  /** Those with jobs. */
  readonly #open = new Map<string, OpenFile>();
  #work: Promise<unknown> = Promise.resolve();

  constructor(dir: string, logger: Logger, limits: LogFileLimits) {
    this.#dir = dir;
    this.#logger = logger;
    this.#limits = limits;
  }

  append(line: LogLine): void {
    const file = this.#open.get(line.containerId);
    if (file && file.unwrittenBytes > this.#limits.unwrittenBytes) file.dropped++;
    else this.#do(line.containerId, `${JSON.stringify(line)}\n`);
  }

  /** Those that have files, or will have when what was appended until now is written. */
  async containers(): Promise<ReadonlySet<string>> {
    const writing = [...this.#open.keys()];
    const files = await readdir(this.#dir).catch(() => []);
    return new Set([...writing, ...files.filter((name) => name.endsWith(ENDING)).map((name) => name.slice(0, -ENDING.length))]);
  }

  /** What they have on disk when all is written that was appended until this call, and nothing that comes after it. */
  async state(containerIds: Iterable<string>): Promise<ContainerLog[]> {
    const states = [...containerIds].map(
      (containerId) =>
        new Promise<ContainerLog | null>((resolve) => {
          this.#do(containerId, async () => {
            const path = this.#path(containerId);
            const [newer, older] = await Promise.all([logFileState(path), logFileState(olderPath(path))]);
            resolve(newer && { containerId, newer, older });
          });
        }),
    );
    return (await Promise.all(states)).filter((state) => state !== null);
  }

  /** All that was appended is in the files. */
  async flush(): Promise<void> {
    for (let before: unknown; before !== this.#work;) {
      before = this.#work;
      await before;
    }
  }

  #do(containerId: string, job: Job): void {
    const known = this.#open.get(containerId);
    const file = known ?? { jobs: [], unwrittenBytes: 0, dropped: 0, sizeBytes: 0 };
    file.jobs.push(job);
    if (typeof job === "string") file.unwrittenBytes += job.length;
    if (known) return;
    this.#open.set(containerId, file);
    this.#work = Promise.all([this.#work, this.#run(containerId, file)]);
  }

  async #run(containerId: string, file: OpenFile): Promise<void> {
    while (file.jobs.length > 0) {
      const reads = file.jobs.findIndex((job) => typeof job !== "string");
      const text = file.jobs.splice(0, reads === -1 ? file.jobs.length : reads).join("");
      try {
        if (text !== "") await this.#write(containerId, file, text);
        else await (file.jobs.shift() as () => Promise<void>)();
      } catch (error) {
        this.#logger.warn({ containerId, error: String(error) }, "Log lines could not be written");
      }
    }
    this.#open.delete(containerId);
  }

  async #write(containerId: string, file: OpenFile, text: string): Promise<void> {
    const path = this.#path(containerId);
    file.unwrittenBytes -= text.length;
    if (file.dropped > 0) this.#logger.warn({ containerId, dropped: file.dropped }, "Log lines were not kept: the disk did not keep up");
    file.dropped = 0;
    let isCut = false;
    if (file.sizeBytes === 0) ({ sizeBytes: file.sizeBytes, isCut } = await endOf(path));
    if (file.sizeBytes > 0 && file.sizeBytes + text.length > this.#limits.fileBytes) {
      file.sizeBytes = 0;
      isCut = false;
      await rename(path, olderPath(path));
    }
    await appendFile(path, isCut ? `\n${text}` : text, { mode: 0o600 });
    file.sizeBytes += text.length;
  }

  #path(containerId: string): string {
    return join(this.#dir, `${containerId.replaceAll(/[^\w-]/g, "_")}${ENDING}`);
  }
}

const ENDING = ".ndjson";
const NEWLINE = 0x0a;

/** Where a file is gone on with. Its last line may be cut, as by a server that was killed while it wrote. */
async function endOf(path: string): Promise<{ readonly sizeBytes: number; readonly isCut: boolean }> {
  const file = await open(path).catch(() => null);
  if (!file) return { sizeBytes: 0, isCut: false };
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
    return { sizeBytes: size, isCut: bytesRead > 0 && buffer[0] !== NEWLINE };
  } finally {
    await file.close();
  }
}

const olderPath = (path: string): string => `${path}.1`;

/**
 * A container's lines from the last one on, in pieces, each oldest first; with `mentioning` only such lines that have
 * the text somewhere: others needn't be parsed.
 */
export async function* readContainerLog({ newer, older }: ContainerLog, mentioning = ""): AsyncGenerator<LogLine[]> {
  yield* readBackwards(newer, [newer.path, olderPath(newer.path)], mentioning);
  if (older) yield* readBackwards(older, [older.path], mentioning);
}
