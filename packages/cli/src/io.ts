import type { FileId } from "@samovar/bundler";
import type { Clock } from "@samovar/kit";
import type { LocalTerminal } from "./exec/local-terminal.ts";

/** Where a command writes: the part of a stream that is used here. */
export interface OutputStream {
  write(chunk: string | Uint8Array): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export type CliSignal = "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGPIPE";

/**
 * Everything the command knows of the world, passed in: tests run commands in their own process with captured
 * output, an environment and signals of their own.
 */
export interface CliIo {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
  /** Null unless stdin and stdout are a terminal. */
  readonly terminal: LocalTerminal | null;
  /** Whether somebody sits there who can answer a question: stdin and stderr are terminals. */
  readonly isInteractive: boolean;
  /** Whether children may have this process's own stdin, stdout and stderr; else their output goes through `stdout` and `stderr`. */
  readonly inheritable: boolean;
  /** Where stdout and stderr are redirected to files: those are no part of anyone's code, wherever they lie. */
  readonly outputFiles: readonly FileId[];
  /** Returns what ends the subscription. */
  onSignal(listener: (signal: CliSignal) => void): () => void;
}
