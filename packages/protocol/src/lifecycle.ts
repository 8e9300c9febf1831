/** The phases of `docs/lifecycle.md`. `create` is the driver's part: process or container, to the first HELLO. */
export type Phase = "create" | "build" | "deploy" | "load" | "start" | "ready" | "drain" | "stop" | "exit";

/** One step of a container's life, with a start, a duration and an outcome: a row of the waterfall. */
export interface PhaseEvent {
  readonly phase: Phase;
  /** Null for what concerns the whole container. */
  readonly workerIndex: number | null;
  /** The hook that ran, for build, deploy, start and stop. */
  readonly hook: string | null;
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly outcome: "ok" | "failed" | "skipped";
  /** Why, when it failed or ended early. */
  readonly detail: string | null;
}

/** Why a container or worker stops. What each grants to running inputs: docs/lifecycle.md, Stopping. */
export const STOP_REASONS = [
  "idle",
  "scale-down",
  "new-version",
  "single-use",
  "max-inputs",
  "stop",
  "shutdown",
  "reload",
  "interrupt",
  "replaced",
  /** The host needs the room for another pool. */
  "room",
  "server-lost",
  "done",
] as const;

export type StopReason = (typeof STOP_REASONS)[number];

/** How a container or worker ended. */
export interface ExitStatus {
  /** `exit`: ended by itself; `oom`: out of memory; `lost`: gone without a word, such as a host that vanished. */
  readonly kind: "exit" | "signal" | "oom" | "lost";
  readonly code: number | null;
  readonly signal: string | null;
}

/** `exit 3`, `SIGSEGV`, `oom`, `lost`: how an exit is told everywhere. */
export function describeExit(exit: ExitStatus): string {
  switch (exit.kind) {
    case "oom":
      return "oom";
    case "lost":
      return "lost";
    case "signal":
      return exit.signal ?? "killed";
    case "exit":
      return `exit ${exit.code ?? 0}`;
  }
}

/** Where a log line comes from. */
export type LogSource =
  | { readonly kind: "worker" }
  | { readonly kind: "hook"; readonly hook: string; readonly phase: Phase }
  | { readonly kind: "input"; readonly taskId: string }
  | { readonly kind: "system" };

export interface LogLine {
  readonly atMs: number;
  readonly containerId: string;
  /** The function's name. */
  readonly function: string;
  readonly workerIndex: number | null;
  readonly stream: "stdout" | "stderr" | "log";
  readonly level: "debug" | "info" | "warn" | "error";
  readonly source: LogSource;
  readonly text: string;
}
