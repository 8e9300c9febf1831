import { dirname } from "node:path";
import { startExec, type OwnedExec, type TerminalSize } from "@samovar/runtime";
import { INHERITED, SAMOVAR } from "./cli-process.fixture.ts";

/** Runs the command, then says how the terminal was left. A signal goes to the command, and not to this shell. */
const SCRIPT = 'trap : TERM; "$@"; echo "code=$?"; stty -a';

/** A `samovar` command in a terminal of its own, as somebody who sits there sees and uses it. */
export class TerminalProcess {
  readonly #exec: OwnedExec;
  readonly #args: readonly string[];
  #text = "";
  #seen = 0;
  #ended = false;
  #wake: () => void = () => {};

  private constructor(exec: OwnedExec, args: readonly string[]) {
    this.#exec = exec;
    this.#args = args;
    exec.stdout.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString();
      this.#wake();
    });
    void exec.exited.then(() => {
      this.#ended = true;
      this.#wake();
    });
  }

  static async start(
    args: readonly string[],
    options: { readonly cwd: string; readonly home: string; readonly size?: TerminalSize },
  ): Promise<TerminalProcess> {
    const exec = await startExec({
      file: "/bin/sh",
      args: ["-c", SCRIPT, "sh", process.execPath, SAMOVAR, ...args],
      cwd: options.cwd,
      env: { ...INHERITED, HOME: dirname(options.home), SAMOVAR_HOME: options.home, SAMOVAR_LOG_LEVEL: "warn", TERM: "xterm-256color" },
      terminal: options.size ?? { columns: 100, rows: 30 },
    });
    return new TerminalProcess(exec, args);
  }

  /** Resolves when something new on the screen matches; rejects with all of it when the command ends before. */
  async sees(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#text.slice(this.#seen));
      if (match) {
        this.#seen += match.index + match[0].length;
        return match;
      }
      if (this.#ended) throw new Error(`samovar ${this.#args.join(" ")} ended without showing ${String(pattern)}:\n${this.#text}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  type(keys: string): void {
    this.#exec.stdin.write(keys);
  }

  resize(size: TerminalSize): void {
    this.#exec.resize(size);
  }

  kill(signal: string): void {
    this.#exec.kill(signal);
  }

  /** The command's exit code, and whether the terminal is as terminals are: it echoes, and Enter sends a line. */
  async ended(): Promise<{ readonly code: number; readonly restored: boolean; readonly text: string }> {
    await this.#exec.exited;
    const match = /code=(\d+)\r\n([^]*)$/.exec(this.#text);
    if (!match) throw new Error(`samovar ${this.#args.join(" ")} did not end by itself:\n${this.#text}`);
    return { code: Number(match[1]), restored: ["isig", "icanon", "echo"].every((mode) => match[2]!.split(/\s+/).includes(mode)), text: this.#text };
  }
}
