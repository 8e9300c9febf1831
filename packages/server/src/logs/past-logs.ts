import type { Logger } from "@samovar/kit";
import type { LogLine } from "@samovar/protocol";
import { readContainerLog, type ContainerLog, type LogFiles } from "./log-files.ts";
import { NewestLines } from "./newest-lines.ts";

export interface PastQuery {
  /** A function's name, in any case; null for all. */
  readonly name: string | null;
  /** Only what was logged while one handled this task. */
  readonly taskId?: string | undefined;
  readonly tail: number;
  /** Lines of containers whose files can't be read, oldest first. */
  instead(hasFile: (containerId: string) => boolean): readonly LogLine[];
  /** False when whoever asked has left. */
  isWanted(): boolean;
}

/**
 * The lines of many containers, living and ended, from their files. Youngest files first, each from its end on, one
 * after the other: what is read ends where nothing older is asked for, and no more is held than is answered.
 */
export class PastLogs {
  readonly #files: LogFiles;
  readonly #logger: Logger;
  readonly #maxBytes: number;
  /** A container is one function's: by container, as long as it has a file. */
  readonly #functions = new Map<string, string>();

  constructor(files: LogFiles, logger: Logger, maxBytes: number) {
    this.#files = files;
    this.#logger = logger;
    this.#maxBytes = maxBytes;
  }

  /** Functions that have lines in files. */
  async functions(): Promise<ReadonlySet<string>> {
    const found = await this.#files.containers();
    for (const known of this.#functions.keys()) if (!found.has(known)) this.#functions.delete(known);
    const unknown = [...found].filter((containerId) => !this.#functions.has(containerId));
    for (const log of await this.#files.state(unknown)) await this.#each(log, undefined, () => false);
    return new Set(this.#functions.values());
  }

  /** The last lines of these containers as their files are now, oldest first. */
  async read(containerIds: Iterable<string>, query: PastQuery): Promise<readonly LogLine[]> {
    const logs = await this.#files.state(containerIds);
    const newest = new NewestLines({ lines: query.tail, bytes: this.#maxBytes });
    const onDisk = new Set(logs.map(({ containerId }) => containerId));
    newest.add(query.instead((containerId) => onDisk.has(containerId)));
    for (const log of logs.toSorted((a, b) => b.newer.modifiedAtMs - a.newer.modifiedAtMs)) {
      if (!query.isWanted() || log.newer.modifiedAtMs < newest.sinceMs) break;
      newest.add(await this.#last(log, query, newest));
    }
    return newest.lines;
  }

  async #last(log: ContainerLog, { name, taskId }: PastQuery, newest: NewestLines): Promise<readonly LogLine[]> {
    const isAsked = (functionName: string): boolean => name === null || functionName.toLowerCase() === name.toLowerCase();
    const known = this.#functions.get(log.containerId);
    if (known !== undefined && !isAsked(known)) return [];
    let lines: readonly LogLine[] = [];
    await this.#each(log, taskId, (piece) => {
      if (!isAsked(piece[0]!.function)) return false;
      lines = [...(taskId === undefined ? piece : piece.filter((line) => isOfTask(line, taskId))), ...lines];
      if (lines.length === 0) return true;
      return newest.firstWithRoom(lines) === 0 && lines[0]!.atMs >= newest.sinceMs;
    });
    return lines;
  }

  /** Pieces from the last one on, until it is enough. */
  async #each(log: ContainerLog, mentioning: string | undefined, take: (piece: readonly LogLine[]) => boolean): Promise<void> {
    const { containerId } = log;
    try {
      for await (const piece of readContainerLog(log, mentioning)) {
        if (piece.length === 0) continue;
        this.#functions.set(containerId, piece[0]!.function);
        if (!take(piece)) return;
      }
    } catch (error) {
      this.#logger.warn({ containerId, error: String(error) }, "Log lines could not be read");
    }
  }
}

export const isOfTask = ({ source }: LogLine, taskId: string): boolean => source.kind === "input" && source.taskId === taskId;
