import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, type Clock } from "@samovar/kit";
import type { CliIo, CliSignal } from "./io.ts";

export interface TestIo extends CliIo {
  /** All that was written so far. */
  readonly out: () => string;
  readonly err: () => string;
  readonly signal: (signal: CliSignal) => void;
  /** Resolves with the match when stdout and stderr together have it, at once or as soon as they do. */
  readonly sees: (pattern: RegExp) => Promise<RegExpExecArray>;
  /** A folder of its own, which is also its HOME and its working folder. */
  readonly folder: string;
  readonly remove: () => void;
}

export interface TestIoOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly stdin?: string;
  readonly isTTY?: boolean;
  readonly clock?: Clock;
}

/**
 * The tsconfig.json of a project in which there is nothing to check: the check of types has its own tests, and takes as long as all the
 * rest of a `serve` or `deploy`.
 */
export const NOTHING_TO_CHECK = JSON.stringify({ compilerOptions: { noCheck: true, noResolve: true, lib: ["es5"] } });

/** A world for one command: captured output, a temporary folder, signals on demand. */
export function createTestIo(options: TestIoOptions = {}): TestIo {
  const folder = mkdtempSync(join(tmpdir(), "samovar-cli-"));
  const out: string[] = [];
  const err: string[] = [];
  const listeners = new Set<(signal: CliSignal) => void>();
  const waiting = new Set<() => void>();
  const stream = (parts: string[]) => ({
    isTTY: options.isTTY ?? false,
    columns: 100,
    write(chunk: string | Uint8Array) {
      parts.push(typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8"));
      for (const look of waiting) look();
    },
  });
  return {
    stdout: stream(out),
    stderr: stream(err),
    stdin: (async function* () {
      yield Buffer.from(options.stdin ?? "");
    })(),
    // What a server and its containers need of the real one, and what spares it half of its start; nothing that would change how
    // commands behave.
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, HOME: folder, SAMOVAR_HOME: join(folder, "home"), ...options.env },
    cwd: folder,
    clock: options.clock ?? systemClock,
    terminal: null,
    isInteractive: options.isTTY ?? false,
    inheritable: false,
    outputFiles: [],
    onSignal(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    out: () => out.join(""),
    err: () => err.join(""),
    signal(signal) {
      for (const listener of [...listeners]) listener(signal);
    },
    sees(pattern) {
      return new Promise((resolve) => {
        const look = (): void => {
          const match = pattern.exec(out.join("") + err.join(""));
          if (!match) return;
          waiting.delete(look);
          resolve(match);
        };
        waiting.add(look);
        look();
      });
    },
    folder,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
