import { FRAME, encodeValue, type LogMessage, type LogMessageLine, type LogSource } from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import type { LogLevel, Scope, ScopeLog } from "./scope.ts";
import type { ServerLink } from "./server-link.ts";

const MAX_LINE_CHARS = 16 * 1024;
/** Lines are dropped, and counted, while more than this waits to leave the process: logs must not eat its memory. */
const MAX_BACKLOG_BYTES = 1024 * 1024;
const MAX_GATHERED_CHARS = 64 * 1024;
/** So many lines of a turn leave at once: code that never gives the turn back (a loop, no memory left) is seen to its last word. */
const PROMPT_LINES = 8;

/**
 * The log of one worker: text in, whole lines out, gathered per turn of the event loop into one frame. Neither the
 * code that logs nor the worker ever waits for whoever reads it.
 */
export class WorkerLog implements ScopeLog {
  readonly #link: ServerLink;
  readonly #clock: Clock;
  readonly #exits: (() => unknown)[];
  #lines: LogMessageLine[] = [];
  #chars = 0;
  #dropped = 0;
  #scheduled = false;
  #linesThisTurn = 0;

  constructor(link: ServerLink, clock: Clock, exits: (() => unknown)[]) {
    this.#link = link;
    this.#clock = clock;
    this.#exits = exits;
  }

  /** Text as it was written: cut into lines here, the rest kept until its newline or the end of the scope. */
  write(scope: Scope, stream: "stdout" | "stderr", level: LogLevel, text: string): void {
    let from = 0;
    for (let newline = text.indexOf("\n"); newline !== -1; newline = text.indexOf("\n", from)) {
      let line = text.slice(from, newline);
      from = newline + 1;
      if (scope.partial?.[stream]) {
        line = scope.partial[stream] + line;
        scope.partial[stream] = "";
      }
      this.#add(stream, level, scope.source, line);
    }
    if (from === text.length) return;
    scope.partial ??= { stdout: "", stderr: "" };
    // A "line" without end is cut as any other: what is over the limit is gone, not kept.
    const room = MAX_LINE_CHARS + 1 - scope.partial[stream].length;
    if (room > 0) scope.partial[stream] += text.slice(from, from + room);
  }

  line(source: LogSource, level: LogLevel, text: string): void {
    this.#add("log", level, source, text);
  }

  onExit(run: () => unknown): void {
    this.#exits.push(run);
  }

  /** A hook or input is over: its unfinished lines go out as they are. */
  endScope(scope: Scope): void {
    const partial = scope.partial;
    if (partial) {
      if (partial.stdout) this.#add("stdout", "info", scope.source, partial.stdout);
      if (partial.stderr) this.#add("stderr", "error", scope.source, partial.stderr);
      scope.partial = null;
    }
    if (this.#lines.length > 0) this.flush();
  }

  /** Hands what was gathered to the connection. */
  flush(): void {
    if (!this.#link.isOpen || (this.#lines.length === 0 && this.#dropped === 0)) return;
    const message: LogMessage = { lines: this.#lines, dropped: this.#dropped };
    this.#lines = [];
    this.#chars = 0;
    this.#dropped = 0;
    this.#link.control(FRAME.log, encodeValue(message));
  }

  #add(stream: LogMessageLine["stream"], level: LogLevel, source: LogSource, line: string): void {
    if (this.#chars + this.#link.backlogBytes > MAX_BACKLOG_BYTES) {
      this.#dropped++;
      this.#schedule();
      return;
    }
    const text = line.length > MAX_LINE_CHARS ? `${line.slice(0, MAX_LINE_CHARS)}… (cut)` : line.endsWith("\r") ? line.slice(0, -1) : line;
    // A line may be cut through a character, by user code or above: what is half there is shown as such.
    this.#lines.push({ atMs: this.#clock.now(), stream, level, source, text: text.toWellFormed() });
    this.#chars += text.length + 64;
    this.#schedule();
    if ((++this.#linesThisTurn <= PROMPT_LINES || this.#chars > MAX_GATHERED_CHARS) && this.#link.isOpen) {
      // Past that, a loop that logs without pause is held up by the socket's buffer, not by ours.
      this.flush();
      this.#link.flush();
    }
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#onImmediate);
  }

  readonly #onImmediate = (): void => {
    this.#scheduled = false;
    this.#linesThisTurn = 0;
    this.flush();
  };
}
