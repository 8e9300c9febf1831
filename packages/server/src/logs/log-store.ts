import type { Logger } from "@samovar/kit";
import type { LogLine } from "@samovar/protocol";
import type { LogQuery } from "@samovar/scheduler";
import { LogFiles, isOfTask, type LogFileLimits } from "./log-files.ts";

export interface LogLimits extends LogFileLimits {
  /** Lines of all containers that are kept in memory; older ones are read from the containers' files. */
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
  #lines: LogLine[] = [];
  #bytes = 0;
  /** Some lines of this server are in files only. */
  #trimmed = false;
  readonly #followers = new Set<Follower>();

  constructor(dir: string, logger: Logger, limits: Partial<LogLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#files = new LogFiles(dir, logger, this.#limits);
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
    if (query.containerId !== null && past.length < query.tail && (past.length === 0 || this.#trimmed)) {
      follower.waiting = [];
      void this.#files.read(query.containerId, query.tail, query.taskId).then((lines) => this.#deliver(follower, lines));
    } else {
      this.#deliver(follower, past);
      if (!query.follow) return () => {};
    }
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  /** Whose lines are in memory: functions' names. */
  names(): ReadonlySet<string> {
    return new Set(this.#lines.map((line) => line.function));
  }

  /** All that was appended is in the files. */
  flush(): Promise<void> {
    return this.#files.flush();
  }

  #deliver(follower: Follower, past: readonly LogLine[]): void {
    const { query, sink, waiting } = follower;
    // It left while its lines were read.
    if (waiting && !this.#followers.has(follower)) return;
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
    this.#trimmed = true;
  }
}

function matches(line: LogLine, { name, containerId, taskId }: LogQuery): boolean {
  return (
    (name === null || line.function.toLowerCase() === name.toLowerCase()) &&
    (containerId === null || line.containerId === containerId) &&
    (taskId === undefined || isOfTask(line, taskId))
  );
}
