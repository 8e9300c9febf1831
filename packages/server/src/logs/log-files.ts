import { appendFile, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "@samovar/kit";
import type { LogLine } from "@samovar/protocol";

export interface LogFileLimits {
  /** A container's file is begun anew past this, one older file is kept. */
  readonly fileBytes: number;
  /** Of one container, waiting for the disk; past this the disk is too slow and lines are counted instead. */
  readonly unwrittenBytes: number;
}

/** What is to be done with a container's file, in order: text to append, or a read of what was appended before it. */
type Job = string | (() => Promise<void>);

interface OpenFile {
  readonly jobs: Job[];
  unwrittenBytes: number;
  dropped: number;
  sizeBytes: number;
}

/**
 * One file of lines per container, and one older one. Appends and reads of a container take turns in the order they
 * were asked for, so that a read has all that came before it and nothing that came after.
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

  /** The last lines of those that were appended until now, of one task or of all, oldest first; none when nothing can be read. */
  read(containerId: string, tail: number, taskId?: string): Promise<LogLine[]> {
    return new Promise((resolve) => {
      this.#do(containerId, async () => resolve(await this.#readTail(this.#path(containerId), tail, taskId)));
    });
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
    if (file.sizeBytes === 0)
      file.sizeBytes = await stat(path).then(
        (found) => found.size,
        () => 0,
      );
    if (file.sizeBytes > 0 && file.sizeBytes + text.length > this.#limits.fileBytes) {
      file.sizeBytes = 0;
      await rename(path, olderPath(path));
    }
    await appendFile(path, text, { mode: 0o600 });
    file.sizeBytes += text.length;
  }

  async #readTail(path: string, tail: number, taskId: string | undefined): Promise<LogLine[]> {
    const lines = await readLines(path, taskId);
    const older = lines.length < tail ? await readLines(olderPath(path), taskId) : [];
    return [...older, ...lines].slice(-tail);
  }

  #path(containerId: string): string {
    return join(this.#dir, `${containerId.replaceAll(/[^\w-]/g, "_")}.ndjson`);
  }
}

const olderPath = (path: string): string => `${path}.1`;

export const isOfTask = ({ source }: LogLine, taskId: string): boolean => source.kind === "input" && source.taskId === taskId;

async function readLines(path: string, taskId: string | undefined): Promise<LogLine[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  if (taskId === undefined) return text.split("\n").flatMap(parseLine);
  // Most lines of a container are other tasks': they needn't be parsed to be known as that.
  const mentioning = text.split("\n").filter((line) => line.includes(taskId));
  return mentioning.flatMap(parseLine).filter((line) => isOfTask(line, taskId));
}

/** A line that was cut, as by a server that was killed while it wrote, is left out. */
function parseLine(text: string): LogLine[] {
  if (text === "") return [];
  try {
    return [JSON.parse(text) as LogLine];
  } catch {
    return [];
  }
}
