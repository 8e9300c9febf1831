import type { Duplex } from "node:stream";
import { constants } from "node:os";

/** The descriptor by which a container's first process talks to the driver. */
export const LIFELINE_FD = 3;

/**
 * The first process of a container. The kernel treats it unlike others (signals it has no handler for are not
 * delivered, it must reap orphans), so the main program is not it but its child, and dies as it would anywhere.
 *
 * It says `ready` before it runs the program and waits for a line, so that both can be put into their control group; then
 * `ended` with the shell's status, in front of which the shell has named the signal if it was one. It stays until the
 * driver lets go, since its end takes all other processes along.
 */
const INIT = `exec 4>&2 2>&3
(echo ready >&3; read _ <&3 && unset PWD OLDPWD SHLVL && exec "$@" 2>&4 3>&- 4>&-)
echo "ended $?" >&3
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
  readonly #stream: Duplex;
  #text = "";

  constructor(stream: Duplex) {
    this.#stream = stream;
    const ready = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<MainEnd | null>();
    const closed = Promise.withResolvers<void>();
    this.ready = ready.promise;
    this.ended = ended.promise;
    this.closed = closed.promise;
    ready.promise.catch(() => {});
    let isReady = false;
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      this.#text += chunk;
      const at = isReady ? -1 : this.#text.indexOf("ready\n");
      if (at >= 0) {
        isReady = true;
        this.#text = this.#text.slice(at + "ready\n".length);
        ready.resolve();
      }
      const end = isReady ? parseEnd(this.#text) : null;
      if (end) ended.resolve(end);
    });
    // A connection that breaks ends like one that closes.
    stream.on("error", () => {});
    stream.on("close", () => {
      ready.reject(new Error("the container ended before its first process ran"));
      ended.resolve(null);
      closed.resolve();
    });
    stream.on("end", () => stream.destroy());
  }

  /** Lets the main program run. */
  go(): void {
    this.#stream.write("go\n");
  }

  /** Init ends, where it still is, and takes all with it. */
  destroy(): void {
    this.#stream.destroy();
  }
}
