import { SamovarError, type FunctionKind, type StopReason } from "@samovar/protocol";
import { getLocalContext } from "./handles/local-context.ts";
import { getRuntime } from "./runtime.ts";

/** Log lines that belong to the hook or input that writes them. `fields` are kept as data. */
export interface ContextLog {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What `onBuild` gets. */
export interface BuildCtx {
  /** The container's environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: ContextLog;
  /**
   * Of build, deploy and start hooks: aborted when the container is told to stop while they run. One that overruns its
   * time is killed without notice: the signal never fires for that. Of stop hooks: aborted when their time,
   * `stopGracePeriod`, is over, just before the process tree is killed.
   */
  readonly signal: AbortSignal;
}

/** What `onDeploy` gets. */
export interface DeployCtx extends BuildCtx {
  /** The function's name on the server. */
  readonly deployment: string;
  readonly version: number;
}

/** What `onStart` gets. */
export interface StartCtx<D = unknown> extends DeployCtx {
  readonly functionId: string;
  readonly functionKind: FunctionKind;
  /** Such as `node 26.10.0`. */
  readonly runtimeVersion: string;
  readonly containerId: string;
  /** 0 to `workers` - 1. */
  readonly workerIndex: number;
  /** What `onDeploy` returned; for a list of hooks a tuple. */
  readonly onDeployValue: D;
}

/** What `onStop` gets. */
export interface StopCtx<S = unknown, D = unknown> extends StartCtx<D> {
  /** What `onStart` returned; for a list of hooks a tuple. */
  readonly onStartValue: S;
  /** Why the worker stops. */
  readonly reason: StopReason;
}

/** What handlers and methods get beside their input. */
export interface Ctx<S = unknown, D = unknown> extends StartCtx<D> {
  /**
   * The same at every attempt: what a handler does outside is named by it, so that doing it again is known for what it is.
   * `TaskHandle.fromId(ctx.taskId)` and `samovar task` find it, also when it was called and waited for.
   */
  readonly taskId: string;
  /** Counts from 1 with every time that the input is given to a worker, also where that is no fault of the handler's (a container that was stopped). */
  readonly attempt: number;
  /** Where the end of the task is told; null: nowhere, as for every call that somebody waits for. */
  readonly callbackUrl: string | null;
  /** Seconds that one attempt may take; null: no limit. */
  readonly timeout: number | null;
  /** When this attempt's time is over; null: never. */
  readonly deadline: Date | null;
  /** Aborted when the time is over, when the caller cancelled or hung up, or when the container stops and the input may go on no longer. */
  readonly signal: AbortSignal;
  /** What `onStart` returned; for a list of hooks a tuple. Of a class: undefined, it keeps what it starts in its fields. */
  readonly onStartValue: S;
  /** The caller's HTTP request, its body a stream; undefined when the call came through a handle. */
  readonly request: Request | undefined;
}

/** What the handler of a schedule gets: it has no input. */
export interface ScheduleCtx<S = unknown, D = unknown> extends Ctx<S, D> {
  /** The moment that this run stands for, which may be long over when it begins; of a run by hand: its beginning. */
  readonly scheduledAt: Date;
}

/**
 * The context of the hook or input that is running, found through async context: for helpers that are not handed it.
 * Throws `no_session` outside of both.
 *
 * @example
 * async function fetchPage(url: string) { return fetch(url, { signal: context().signal }); }
 */
export function context(): Ctx {
  const found = getRuntime()?.context() ?? getLocalContext();
  if (found) return found as Ctx;
  throw new SamovarError("no_session", "context() was called outside of a hook or handler. Call it inside one, or in a function that one calls");
}
