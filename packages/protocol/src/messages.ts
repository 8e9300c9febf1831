import type { BatchManifest, FunctionKind } from "./manifest.ts";
import type { LogSource, Phase, StopReason } from "./lifecycle.ts";
import type { SerializedError } from "./errors.ts";

/**
 * What the frames of stream 0 carry, and the heads of the others. Each is one value (docs/protocol.md, Values).
 * Unknown fields are ignored by both sides, so that fields can be added without a new protocol version.
 */

/** Worker → server, first frame of every connection. Nothing else is read before it is accepted. */
export interface HelloMessage {
  readonly protocol: number;
  readonly containerId: string;
  readonly token: string;
  readonly workerIndex: number;
  readonly pid: number;
  readonly runtime: string;
  /** A worker that had been loaded and lost its connection: the server may take it back. */
  readonly resumed: boolean;
  /**
   * In a resumed worker, every input of a lost connection that still takes up room there, or has its answer kept for
   * the server. Absent for none.
   */
  readonly held?: readonly HeldInput[];
}

/** An input that outlived the connection it came by. */
export interface HeldInput {
  readonly taskId: string;
  readonly attempt: number;
  /**
   * It goes on as if nothing had happened, and answers on the stream that `welcome` gives it: it is `durable`, had
   * arrived whole, nothing of its answer was sent, and no generator runs. One that is not only tells on its stream
   * when it has settled, by an `error`.
   */
  readonly resumable: boolean;
}

/** Server → worker: taken, or taken back. */
export interface WelcomeMessage {
  readonly protocol: number;
  /**
   * For each of HELLO's `held`, in its order, the new stream that it goes on with. Those beyond the list's end are
   * given up: cancelled as `disconnected`, their answers dropped. Absent where nothing was held.
   */
  readonly streams?: readonly number[];
}

/** Server → worker. After `reject` the server closes, and the worker stops (or, where it served, drains and stops). */
export interface RejectMessage {
  readonly reason: string;
}

/** Server → worker: what to load, and what to do with it. */
export interface LoadMessage {
  /** `serve`: load, start, take inputs. `build` and `deploy`: run those hooks, answer `done`, stop. */
  readonly mode: "serve" | "build" | "deploy";
  readonly app: string;
  readonly functionId: string;
  readonly functionName: string;
  readonly functionKind: FunctionKind;
  readonly deployment: string;
  readonly version: number;
  readonly exportName: string;
  /** Absolute path of the bundle as the container sees it. */
  readonly bundlePath: string;
  /** Where V8's compile cache of this code lies; null for none. */
  readonly compileCacheDir: string | null;
  /** Constructor arguments of a class. */
  readonly parameters: readonly unknown[];
  readonly onDeployValue: unknown;
  readonly workers: number;
  readonly concurrencyMax: number;
  readonly timeoutMs: number | null;
  readonly stopGracePeriodMs: number;
  /** Of tasks: where their ends are told. */
  readonly callbackUrl: string | null;
  /** Names and ids of the functions of the same deploy, for calls inside an app. */
  readonly functionIds: Readonly<Record<string, string>>;
  /** True under `serve` and `run`: errors carry their stack to the caller. */
  readonly development: boolean;
}

/** Worker → server: a hook or phase ended. */
export interface PhaseMessage {
  readonly phase: Phase;
  readonly hook: string | null;
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly outcome: "ok" | "failed" | "skipped";
  readonly error: SerializedError | null;
}

/** Worker → server, before each hook: should the worker end or hang in it, the server can say where. */
export interface BeginMessage {
  readonly phase: Phase;
  readonly hook: string;
}

/** Worker → server: the start phase is over; inputs may come. */
export interface ReadyMessage {
  readonly heapUsedBytes: number;
}

/** Worker → server: load or start failed; the worker ends by itself after this. */
export interface FailedMessage {
  readonly phase: Phase;
  readonly hook: string | null;
  readonly error: SerializedError;
}

/** Worker → server: build or deploy hooks ran. */
export interface DoneMessage {
  /** What onDeploy returned: JSON, for a list of hooks an array. */
  readonly value: unknown;
}

/**
 * Server → worker: take no new inputs. Those it holds go on. Worker → server: it was asked to stop from outside (a
 * signal), wants no new inputs, and stops by itself when it holds none; an `open` that crosses this on the way is
 * answered by `error` with the code `drained`.
 */
export interface DrainMessage {
  readonly reason: StopReason;
}

/**
 * Server → worker: run stop hooks, answer `stopped`, exit. Sent when the worker holds nothing, or when what it
 * holds was given up (their streams were cancelled before).
 */
export interface StopMessage {
  readonly reason: StopReason;
  readonly graceMs: number;
}

/** Server → worker 0: fork this worker (again). Worker → server on end of a forked one. */
export interface SpawnMessage {
  readonly workerIndex: number;
}

/** Worker 0 → server. */
export interface WorkerExitMessage {
  readonly workerIndex: number;
  readonly pid: number;
  readonly code: number | null;
  readonly signal: string | null;
}

/** Worker → server, gathered: one frame may carry many lines. */
export interface LogMessage {
  readonly lines: readonly LogMessageLine[];
  /** Lines that were dropped before these because the server did not keep up. */
  readonly dropped: number;
}

export interface LogMessageLine {
  readonly atMs: number;
  readonly stream: "stdout" | "stderr" | "log";
  readonly level: "debug" | "info" | "warn" | "error";
  readonly source: LogSource;
  readonly text: string;
}

/**
 * `open`, server → worker: an input. The frame is head and body; with `streamed` the body follows as `data`,
 * closed by `end`.
 */
export interface InputHead {
  readonly taskId: string;
  readonly attempt: number;
  /** A class's method; absent for the others. */
  readonly method?: string;
  /**
   * What the body is. `json`: to be parsed; `value`: docs/protocol.md, Values; `query`: a JSON object of strings
   * from a URL, coerced by a schema; `raw`: other content, left to `ctx.request`; `none`: no input.
   */
  readonly encoding: "json" | "value" | "query" | "raw" | "none";
  /** How the answer is wanted. `http`: JSON, bytes or a Response; `value`: one value; see `stream` for items. */
  readonly reply: "http" | "value";
  /** Items of a generator: as NDJSON lines, as server-sent events, or as length-prefixed values. */
  readonly stream: "ndjson" | "sse" | "values";
  readonly streamed?: boolean;
  /** The answer is kept and may be read by others: with `reply: "http"`, what JSON has no form for is sent as a value in its place. */
  readonly kept?: boolean;
  /** The server would still know what to do with the answer after it was started anew: it is kept over a lost connection. */
  readonly durable?: true;
  readonly timeoutMs: number | null;
  /** Milliseconds since the epoch; null without a timeout. */
  readonly deadlineMs: number | null;
  readonly request?: RequestHead;
}

export interface RequestHead {
  readonly method: string;
  /** Absolute URL as the caller wrote it. */
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
}

/**
 * `open`, worker → server: a call to another function of the same app, or something about one. It is answered as an
 * input with `reply: "value"` is.
 *
 * | kind | body, one value | answer |
 * |---|---|---|
 * | `call` (or absent) | the input | its result |
 * | `scale` | a `ScalingPatch` | its `FunctionInfo`; without `method` and `parameters`, as it changes the whole function |
 * | `put` | `PutTasksRequest` | `PutTasksResponse`, when they are on disk |
 * | `task` | `TaskQuestion` | see there |
 */
export interface CallHead {
  readonly kind?: "call" | "scale" | "put" | "task";
  readonly functionName: string;
  readonly functionId?: string;
  readonly method?: string;
  readonly parameters?: readonly unknown[];
  readonly streaming: boolean;
  /** The body is too large for one frame and follows as `data`, closed by `end`. */
  readonly streamed?: boolean;
}

/**
 * `head`, worker → server: the answer begins and `data` follows, closed by `end`. For `result` the same head
 * stands before the whole body, and nothing follows.
 */
export interface AnswerHead {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  /** The body is a stream of items whose end may be an error in the stream's own form. */
  readonly items?: boolean;
}

/** `error`: the stream ended without an answer (before `head`), or broke (after it). */
export interface ErrorMessage {
  readonly error: SerializedError;
  /** Whether the function's retry policy applies: false for what trying again can't mend, and after `on` said no. */
  readonly retryable: boolean;
  /**
   * The handler threw it, whatever code it carries (it may pass on what a call to another function threw): callers
   * see `handler_error`. Absent: the worker raised it and the code is its own.
   */
  readonly fromHandler?: true;
}

/** `end`, worker → server, with a payload only when the items ended with an error that stands in the stream itself. */
export interface EndMessage {
  readonly error: SerializedError;
}

/** `cancel`, either side: the other end left. The worker aborts `ctx.signal`; the stream is closed by `error` or `result`. */
export interface CancelMessage {
  readonly reason: "timeout" | "cancelled" | "disconnected" | "drained";
}

/** `window`: this many more bytes of `data` may be sent on the stream. */
export interface WindowMessage {
  readonly bytes: number;
}

export type { BatchManifest };
