import type { CliIo } from "../io.ts";
import { createColors, type Colors } from "./colors.ts";

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 80;
/** What is done sooner needs no progress: it would only flicker. */
const DELAY_MS = 300;

/** A piece of work that is shown while it lasts. */
export interface Progress {
  update(message: string): void;
  /** Takes the line away. Idempotent. */
  done(): void;
}

/**
 * What a command writes: results to stdout, everything for people to stderr. While work is shown, a spinner is
 * the last line of stderr; whatever else is written takes its place and pushes it down. Only a terminal sees it.
 *
 * States of the spinner: off → (progress, and DELAY_MS passed) → drawn → (done) → off.
 */
export class Screen {
  /** For stdout. */
  readonly colors: Colors;
  /** For stderr. */
  readonly noteColors: Colors;
  readonly #io: Pick<CliIo, "stdout" | "stderr" | "clock">;
  readonly #works: { message: string }[] = [];
  #drawn = false;
  #frame = 0;
  #cancelTick: (() => void) | undefined;

  constructor(io: Pick<CliIo, "stdout" | "stderr" | "clock">, color: boolean | undefined) {
    this.#io = io;
    this.colors = createColors(color ?? io.stdout.isTTY === true);
    this.noteColors = createColors(color ?? io.stderr.isTTY === true);
  }

  get width(): number {
    // A terminal that doesn't know its size says 0.
    return this.#io.stdout.columns || 100;
  }

  /** To stdout, as it is. */
  print(content: string | Uint8Array): void {
    this.#erase();
    this.#io.stdout.write(content);
  }

  /** A line, or several, for people: to stderr. */
  note(text: string): void {
    this.#erase();
    this.#io.stderr.write(text.endsWith("\n") ? text : `${text}\n`);
  }

  /** Bytes that a child wrote to its stderr: not cut into lines. */
  writeError(content: string | Uint8Array): void {
    this.#erase();
    this.#io.stderr.write(content);
  }

  progress(message: string): Progress {
    const work = { message };
    this.#works.push(work);
    if (this.#io.stderr.isTTY && !this.#cancelTick) this.#tickAfter(DELAY_MS);
    return {
      update: (next) => void (work.message = next),
      done: () => {
        const at = this.#works.indexOf(work);
        if (at === -1) return;
        this.#works.splice(at, 1);
        if (this.#works.length === 0) this.#stop();
      },
    };
  }

  /** Shows the message while the promise is pending. */
  async during<T>(message: string, run: (progress: Progress) => Promise<T>): Promise<T> {
    const progress = this.progress(message);
    try {
      return await run(progress);
    } finally {
      progress.done();
    }
  }

  dispose(): void {
    this.#works.length = 0;
    this.#stop();
  }

  #tickAfter(delayMs: number): void {
    this.#cancelTick = this.#io.clock.after(delayMs, () => {
      this.#draw();
      this.#tickAfter(FRAME_MS);
    });
  }

  #stop(): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    this.#erase();
  }

  #draw(): void {
    const work = this.#works.at(-1);
    if (!work) return;
    const room = Math.max(10, (this.#io.stderr.columns || 80) - 3);
    const frame = this.noteColors.cyan(FRAMES[this.#frame++ % FRAMES.length]!);
    this.#io.stderr.write(`\r\u001b[2K${frame} ${work.message.slice(0, room)}`);
    this.#drawn = true;
  }

  #erase(): void {
    if (!this.#drawn) return;
    this.#io.stderr.write("\r\u001b[2K");
    this.#drawn = false;
  }
}
