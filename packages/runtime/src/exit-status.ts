import type { ExitStatus } from "@samovar/protocol";

/** Signals with which V8 ends a process whose heap is full, depending on how Node was built. */
const V8_FATAL: ReadonlySet<string> = new Set(["SIGABRT", "SIGTRAP", "SIGILL"]);

export interface ExitEvidence {
  readonly code: number | null;
  readonly signal: string | null;
  /** We sent the SIGKILL. */
  readonly killedByUs: boolean;
  /** Processes of the container ended for want of memory, by the kernel or the watch. */
  readonly oomKills: number;
  /** V8 said that its heap is full. */
  readonly heapExhausted: boolean;
}

/** Its parent was somebody else: that there was neither a code nor a signal can't be. */
export const UNKNOWN_END = { code: null, signal: null };

/** How an end is told: what looks like a signal, or is not known, is `oom` where memory was the reason; `lost` without any evidence. */
export function toExitStatus({ code, signal, killedByUs, oomKills, heapExhausted }: ExitEvidence): ExitStatus {
  if (code === null && signal === null) return { kind: oomKills > 0 || heapExhausted ? "oom" : "lost", code: null, signal: null };
  if (signal === null) return { kind: "exit", code: code ?? 0, signal: null };
  const oom = (signal === "SIGKILL" && !killedByUs && oomKills > 0) || (V8_FATAL.has(signal) && heapExhausted);
  return { kind: oom ? "oom" : "signal", code: null, signal };
}
