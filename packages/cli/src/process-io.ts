import { fstatSync } from "node:fs";
import { isatty } from "node:tty";
import type { FileId } from "@samovar/bundler";
import { systemClock } from "@samovar/kit";
import { findLocalTerminal } from "./exec/local-terminal.ts";
import type { CliIo, CliSignal } from "./io.ts";

/** A descriptor that was closed (`>&-`), or is a pipe or a terminal, is none. */
function fileOf(descriptor: number): FileId[] {
  try {
    const stats = fstatSync(descriptor);
    return stats.isFile() ? [{ dev: stats.dev, ino: stats.ino }] : [];
  } catch {
    return [];
  }
}

/** The real world: the one place of the command line that touches `process`. */
export function createProcessIo(): CliIo {
  const listeners = new Set<(signal: CliSignal) => void>();
  const emit = (signal: CliSignal): void => {
    for (const listener of [...listeners]) listener(signal);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => emit(signal));

  // The reader of a pipe left (`samovar logs -f | head -1`): nobody is there to be told anything.
  process.stdout.on("error", () => emit("SIGPIPE"));
  process.stderr.on("error", () => {});

  // On an older Node the launcher is a parent that passes signals on; a launcher that was killed can't, and what
  // it started must not outlive it.
  if (process.channel) {
    process.on("disconnect", () => process.exit(129));
    process.channel.unref();
  }

  return {
    stdout: process.stdout,
    stderr: process.stderr,
    // Not touched unless it is read: main may own it.
    get stdin() {
      return process.stdin;
    },
    env: process.env,
    cwd: process.cwd(),
    clock: systemClock,
    get terminal() {
      return findLocalTerminal();
    },
    isInteractive: isatty(0) && isatty(2),
    inheritable: true,
    outputFiles: [1, 2].flatMap(fileOf),
    onSignal(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
