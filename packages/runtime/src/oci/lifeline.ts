import { constants } from "node:os";
import type { Duplex } from "node:stream";
import type { PipeReader } from "../container-pipes.ts";

/**
 * The descriptor by which a container's first process waits for the driver. By the next one, 4, it tells: a pipe that outlives
 * the server. Both are the runtime's and its own, and no other process's.
 */
export const LIFELINE_FD = 3;
/** Standard output and error once more: runc copies what is written to its own, and an end would overtake the last words. */
export const OUTPUT_FDS = { stdout: 5, stderr: 6 } as const;

/**
 * The first process of a container. The kernel treats it unlike others (signals it has no handler for are not
 * delivered, it must reap orphans), so the main program is not it but its child, and dies as it would anywhere.
 *
 * It says `ready` before it runs the program and waits for a line, so that both can be put into their control group; then
 * `ended` with the shell's status, in front of which the shell has named the signal if it was one. It stays until the
 * driver lets go, or the server is gone, since its end takes all other processes along.
 */
const INIT = `exec >&5 5>&- 2>&4
(echo ready >&4; read _ <&3 && unset PWD OLDPWD SHLVL && exec "$@" 2>&6 3>&- 4>&- 6>&-)
echo "ended $?" >&4
read _ <&3`;

export function toInitArguments(argv: readonly string[]): string[] {
  return ["/bin/sh", "-c", INIT, "sh", ...argv];
}

export interface MainEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

const ENDED = /^([^]*)^ended (\d+)\n/m;
/** Of these a shell says nothing. */
const SILENT_SIGNALS: ReadonlySet<number> = new Set([constants.signals.SIGINT, constants.signals.SIGPIPE]);
const FIRST_SIGNAL_STATUS = 128;
/** Shells say less; what runs in the container may get at the pipe. */
const MAX_TEXT = 4_096;

/** How the main program ended, from what init wrote after `ready`; null while it runs. */
export function parseEnd(text: string): MainEnd | null {
  const match = ENDED.exec(text);
  if (!match) return null;
  const [, said, digits] = match;
  const status = Number(digits);
  const signal = signalName(status - FIRST_SIGNAL_STATUS);
  // `exit(137)` and a SIGKILL give the same status: the shell speaks of the second only.
  const isSignal = signal !== null && (said!.trim() !== "" || SILENT_SIGNALS.has(status - FIRST_SIGNAL_STATUS));
  return isSignal ? { code: null, signal } : { code: status, signal: null };
}

function signalName(number: number): string | null {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? null;
}

/**
 * The driver's end of the lifeline.
 *
 * States: waiting → ready → ended → closed (nothing of the container runs any more; may come from any state).
 */
export class Lifeline {
  /** Init is there, and waits. Rejects when it ended before. */
  readonly ready: Promise<void>;
  /** How the main program ended; null: all of the container ended with it. */
  readonly ended: Promise<MainEnd | null>;
  readonly closed: Promise<void>;
  readonly #stream: Duplex | null;
  readonly #reports: PipeReader;
  #text = "";

  /** Without a stream for a container that was started by another server: then it is ready already. */
  constructor(stream: Duplex | null, reports: PipeReader) {
    this.#stream = stream;
    this.#reports = reports;
    const ready = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<MainEnd | null>();
    const closed = Promise.withResolvers<void>();
    this.ready = ready.promise;
    this.ended = ended.promise;
    this.closed = closed.promise;
    ready.promise.catch(() => {});
    let isReady = stream === null;
    if (isReady) ready.resolve();
    reports.read((chunk) => {
      this.#text = (this.#text + chunk.toString()).slice(-MAX_TEXT);
      const at = isReady ? -1 : this.#text.indexOf("ready\n");
      if (at >= 0) {
        isReady = true;
        this.#text = this.#text.slice(at + "ready\n".length);
        ready.resolve();
      }
      const end = isReady ? parseEnd(this.#text) : null;
      if (end) ended.resolve(end);
    });
    void reports.closed.then(() => {
      ready.reject(new Error("the container ended before its first process ran"));
      ended.resolve(null);
      closed.resolve();
    });
    // A connection that breaks ends like one that closes. Nothing comes by it but its end.
    stream?.on("error", () => {});
    stream?.resume();
  }

  /** Lets the main program run. */
  go(): void {
    this.#stream?.write("go\n");
  }

  /** Init ends, where it still is, and takes all with it. */
  destroy(): void {
    this.#stream?.destroy();
    this.#reports.close();
  }
}
