import { spawnSync } from "node:child_process";
import { isatty } from "node:tty";
import type { TerminalSize } from "./exec-client.ts";

/** The terminal that a command runs in: its input and its output are one. */
export interface LocalTerminal {
  size(): TerminalSize;
  /** Returns what ends the subscription. */
  onResize(listener: (size: TerminalSize) => void): () => void;
  /**
   * From now on keys come as they are typed, Ctrl-C as a byte, and nothing is echoed. Returns what puts the terminal
   * back: idempotent, and done at the process's exit, whatever ends it.
   */
  setRaw(): () => void;
}

/** Null where input or output is something else. */
export function findLocalTerminal(): LocalTerminal | null {
  if (!isatty(0) || !isatty(1)) return null;
  const { stdin, stdout } = process;
  // One that does not know its size says 0.
  const size = (): TerminalSize => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 });
  return {
    size,
    onResize(listener) {
      const tell = (): void => listener(size());
      stdout.on("resize", tell);
      return () => void stdout.off("resize", tell);
    },
    setRaw() {
      const before = stdin.isRaw;
      const restore = (): void => {
        process.off("exit", restore);
        stdin.setRawMode(before);
      };
      process.on("exit", restore);
      stdin.setRawMode(true);
      // Node leaves ends of lines to the terminal, but the far one has seen to them. Without the program they are doubled.
      spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "ignore"] });
      return restore;
    },
  };
}
