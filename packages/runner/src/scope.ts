import { AsyncLocalStorage } from "node:async_hooks";
import type { CallTransport, LogSource, Runtime } from "@samovar/protocol";

/** What code runs for: a hook, an input, or the worker itself. Follows it through every await. */
export interface Scope {
  readonly source: LogSource;
  /** What `context()` returns; undefined while the module loads. */
  readonly ctx: object | undefined;
  readonly transport: CallTransport;
  readonly log: ScopeLog;
  /** Text without a newline yet, by stream; owned by the worker's log. */
  partial: { stdout: string; stderr: string } | null;
}

export interface ScopeLog {
  write(scope: Scope, stream: "stdout" | "stderr", level: LogLevel, text: string): void;
  line(source: LogSource, level: LogLevel, text: string): void;
  onExit(run: () => unknown): void;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

export const scopes = new AsyncLocalStorage<Scope>();

/**
 * What user code finds at `globalThis[RUNTIME]`. One for all workers of a process: whose code asks is told by its
 * async context, and by `fallback` for the little that runs outside any (callbacks of native code).
 */
export function createWorkerRuntime(fallback: () => Scope | undefined): Runtime {
  const current = (): Scope | undefined => scopes.getStore() ?? fallback();
  return {
    remote: true,
    context: () => current()?.ctx,
    get transport() {
      return current()?.transport ?? null;
    },
    onExit: (run) => current()?.log.onExit(run),
  };
}
