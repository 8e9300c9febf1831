/**
 * A program in a container over a WebSocket at `/api/v1/containers/{id}/exec`, with `authorization` or the subprotocol
 * `samovar.bearer.TOKEN`. The client's first message is an `ExecRequest`. After it, binary messages carry streams: the
 * first byte says which (`EXEC_STREAM`), the rest are its bytes, none for the end of stdin. Text messages are
 * `ExecSignal`s (client → server) and `ExecReply`s (server → client). Hanging up ends the program (SIGHUP, then SIGKILL).
 */
export interface ExecRequest {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly terminal?: { readonly columns: number; readonly rows: number };
}

export type ExecSignal = { readonly type: "resize"; readonly columns: number; readonly rows: number } | { readonly type: "signal"; readonly signal: string };

export type ExecReply =
  | { readonly type: "started" }
  /** The last message: the exit code as a shell tells it (128 + n for signals). */
  | { readonly type: "exit"; readonly code: number; readonly signal: string | null }
  /** A problem document; the last message. Its `exitCode` is a shell's where the program is not there (127), or can't be run (126). */
  | { readonly type: "failed"; readonly problem: Readonly<Record<string, unknown>> };

export const EXEC_STREAM = Object.freeze({ stdin: 0, stdout: 1, stderr: 2 });
