import { writeSync } from "node:fs";
import { Writable } from "node:stream";

const FIRST_PAUSE_MS = 1;
const LAST_PAUSE_MS = 50;
/** The character that a terminal reads as the end of a file, at the beginning of a line. */
const END_OF_FILE = Buffer.from([4]);

/**
 * What is typed into a terminal. Its descriptor doesn't block, and Node has no event for "it takes more": its own
 * stream for terminals would spin until it does. So a full terminal, whose program reads nothing, is tried again
 * after pauses that double up to 50 ms.
 */
export class TerminalInput extends Writable {
  readonly #fd: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(fd: number) {
    super();
    this.#fd = fd;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#try(chunk, FIRST_PAUSE_MS, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#try(END_OF_FILE, FIRST_PAUSE_MS, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    done(error);
  }

  #try(chunk: Buffer, pauseMs: number, done: (error?: Error | null) => void): void {
    let rest = chunk;
    let pause = pauseMs;
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(this.#fd, rest));
        pause = FIRST_PAUSE_MS;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return done(error as Error);
        this.#timer = setTimeout(() => this.#try(rest, Math.min(pause * 2, LAST_PAUSE_MS), done), pause);
        return;
      }
    }
    done();
  }
}
