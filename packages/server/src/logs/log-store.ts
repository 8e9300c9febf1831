import type { Logger } from "@samovar/kit";
import type { LogLine } from "@samovar/protocol";
import type { LogQuery } from "@samovar/scheduler";
import { LogFiles, type LogFileLimits } from "./log-files.ts";
import { PastLogs, isOfTask } from "./past-logs.ts";

export interface LogLimits extends LogFileLimits {
  /** Lines of all containers that are kept in memory; older ones, and those of earlier servers, are read from the containers' files. */
  readonly memoryLines: number;
  readonly memoryBytes: number;
}

const DEFAULT_LIMITS: LogLimits = Object.freeze({
  memoryLines: 5_000,
  memoryBytes: 8 * 1024 * 1024,
  fileBytes: 8 * 1024 * 1024,
  unwrittenBytes: 4 * 1024 * 1024,
});

export interface LogSink {
  line(line: LogLine): void;
  end(): void;
}

interface Follower {
  readonly query: LogQuery;
  readonly sink: LogSink;
  /** What came while older lines are read; null once they were delivered. */
  waiting: LogLine[] | null;
}

/**
 * What containers wrote: the last lines in memory for whoever asks, pushed to whoever follows, and appended to one
 * file per container. Memory and files are bounded, whatever a container writes.
 */
export class LogStore {
  readonly #limits: LogLimits;
  readonly #files: LogFiles;
  readonly #past: PastLogs;
  #lines: LogLine[] = [];
  #bytes = 0;
  readonly #followers = new Set<Follower>();

  constructor(dir: string, logger: Logger, limits: Partial<LogLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#files = new LogFiles(dir, logger, this.#limits);
    // As much as all files of one container.
    this.#past = new PastLogs(this.#files, logger, 2 * this.#limits.fileBytes);
  }

  append(line: LogLine): void {
    this.#lines.push(line);
    this.#bytes += line.text.length;
    const { memoryLines, memoryBytes } = this.#limits;
    // Trimmed by the half, so that a flood doesn't shift a long array at each line.
    if (this.#lines.length > memoryLines * 1.5 || this.#bytes > memoryBytes * 1.5) this.#trim();
    for (const { query, sink, waiting } of this.#followers) {
      if (!matches(line, query)) continue;
      if (!waiting) sink.line(line);
      else if (waiting.length < memoryLines) waiting.push(line);
    }
    this.#files.append(line);
  }

  /** Lines of what is asked: first the last ones, then, following, what comes. Returns what ends it. */
  query(query: LogQuery, sink: LogSink): () => void {
    const follower: Follower = { query, sink, waiting: null };
    const past = query.tail === 0 ? [] : this.#lines.filter((line) => matches(line, query)).slice(-query.tail);
    this.#followers.add(follower);
    if (past.length < query.tail) {
      follower.waiting = [];
      void this.#readPast(follower);
    } else this.#deliver(follower, past);
    return () => void this.#followers.delete(follower);
  }

  /** Functions that have lines here. */
  async names(): Promise<ReadonlySet<string>> {
    const inFiles = await this.#past.functions();
    return new Set([...inFiles, ...this.#lines.map((line) => line.function)]);
  }

  /** All that was appended is in the files. */
  flush(): Promise<void> {
    return this.#files.flush();
  }

  /** What files have is read as it is in one turn, and what comes after that turn waits in memory. */
  async #readPast(follower: Follower): Promise<void> {
    const { query } = follower;
    const containerIds = query.containerId === null ? await this.#files.containers() : [query.containerId];
    follower.waiting = [];
    const inMemory = this.#lines.filter((line) => matches(line, query));
    const past = await this.#past.read(containerIds, {
      name: query.name,
      taskId: query.taskId,
      tail: query.tail,
      instead: (hasFile) => inMemory.filter(({ containerId }) => !hasFile(containerId)),
      isWanted: () => this.#followers.has(follower),
    });
    this.#deliver(follower, past);
  }

  #deliver(follower: Follower, past: readonly LogLine[]): void {
    const { query, sink, waiting } = follower;
    // It left while its lines were read.
    if (!this.#followers.has(follower)) return;
    for (const line of past) sink.line(line);
    follower.waiting = null;
    for (const line of (query.follow && waiting) || []) sink.line(line);
    if (query.follow) return;
    this.#followers.delete(follower);
    sink.end();
  }

  #trim(): void {
    const { memoryLines, memoryBytes } = this.#limits;
    let at = Math.max(0, this.#lines.length - memoryLines);
    for (let i = 0; i < at; i++) this.#bytes -= this.#lines[i]!.text.length;
    while (this.#bytes > memoryBytes && at < this.#lines.length) this.#bytes -= this.#lines[at++]!.text.length;
    this.#lines = this.#lines.slice(at);
  }
}

function matches(line: LogLine, { name, containerId, taskId }: LogQuery): boolean {
  return (
    (name === null || line.function.toLowerCase() === name.toLowerCase()) &&
    (containerId === null || line.containerId === containerId) &&
    (taskId === undefined || isOfTask(line, taskId))
  );
}
