import type { CallbackInfo } from "@samovar/protocol";

/**
 * Callbacks: what is told to a task's `callbackUrl` when the task is over. The store adds one itself, in the transaction
 * in which a task that has a URL ends, so that none is lost; whoever sends them asks for what is due. One that is still
 * pending when its task is revived is removed: its end is none any more.
 */
export interface CallbackStore {
  /**
   * Whose time has come, oldest first, with what to send, but for those to URLs of `except` (so that the many of a slow
   * receiver don't stand before the others); and when the first one is due that isn't by now.
   */
  due(nowMs: number, limit: number, except?: readonly string[]): Promise<{ readonly callbacks: readonly DueCallback[]; readonly nextDueAtMs: number | null }>;
  /** What became of an attempt; resolves when that is on disk. False: it was settled otherwise meanwhile. */
  settle(id: string, attempt: number, outcome: CallbackOutcome): Promise<boolean>;
  /** Newest first. */
  list(filter: {
    readonly state?: CallbackInfo["state"];
    readonly app?: string;
    readonly taskId?: string;
    /** The id of one, which may be gone by now: those that came before it. */
    readonly before?: string;
    readonly limit: number;
  }): Promise<readonly CallbackInfo[]>;
  get(id: string): Promise<CallbackInfo | undefined>;
  /** Once more from the beginning, of one that failed for good; undefined where there is none such, or its task is no longer kept, or was queued once more. */
  revive(id: string, nowMs: number): Promise<CallbackInfo | undefined>;
}

export interface DueCallback {
  readonly id: string;
  readonly taskId: string;
  readonly functionName: string;
  readonly app: string;
  readonly url: string;
  /** Of the attempt that comes: 1 for the first. */
  readonly attempt: number;
  /** When the task ended. */
  readonly createdAtMs: number;
}

export type CallbackOutcome =
  | { readonly kind: "delivered"; readonly atMs: number }
  | { readonly kind: "again"; readonly dueAtMs: number; readonly error: string }
  | { readonly kind: "failed"; readonly atMs: number; readonly error: string };
