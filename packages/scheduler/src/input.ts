import type { AnswerHead, InputHead, RequestHead, SamovarError, SerializedError, TaskId } from "@samovar/protocol";

/** One unit of work on its way to a worker, as the gateway hands it to a pool. */
export interface InputRequest {
  readonly taskId: TaskId;
  /** A class's method; null for the others. */
  readonly method: string | null;
  readonly encoding: InputHead["encoding"];
  readonly reply: InputHead["reply"];
  readonly stream: InputHead["stream"];
  readonly request: RequestHead | null;
  /** The body, whole; null with `encoding: "none"` or a `bodyStream`. */
  readonly body: Buffer | null;
  /** A body that is large or of unknown length. Read once, under the worker's flow control. */
  readonly bodyStream: AsyncIterable<Buffer> | null;
  /** The function's retry policy applies: a handle's call, or HTTP on an `idempotent` function. */
  readonly retries: boolean;
  /** Goes on when its caller leaves: `cancel("disconnected")` then only detaches the sink. */
  readonly headless: boolean;
}

/**
 * Where the answer goes. Exactly one of `result`, `error` (before `head`), or `head` and then `data`* and one of
 * `end` or `error`. Called synchronously from the worker's connection; a sink must not throw.
 */
export interface InputSink {
  /** The input was given to a worker (again, after a retry). */
  started(info: StartedInfo): void;
  result(head: AnswerHead, body: Buffer): void;
  head(head: AnswerHead): void;
  /** The bytes are the sink's own. Returns false when no more should come until `resume` of the ticket. */
  data(chunk: Buffer): boolean;
  end(): void;
  error(failure: InputFailure): void;
}

export interface StartedInfo {
  readonly containerId: string;
  /** Of the attempt's function, where the caller may not know: a task's answer. */
  readonly version?: number;
  /** The container was not ready when the input arrived. */
  readonly coldStart: boolean;
  /** Milliseconds from arrival to the worker; and, for a cold start, the container's phases so far. */
  readonly queuedMs: number;
  readonly phases: readonly { readonly name: string; readonly durationMs: number }[];
}

export interface InputFailure {
  /** Ours where a catalogue code applies, else what the handler threw as `handler_error`. */
  readonly error: SamovarError;
  /** What was thrown in the worker, for callers that raise it again. */
  readonly thrown: SerializedError | null;
  readonly containerId: string | null;
  readonly attempt: number;
  /** False: another attempt would end alike, or the policy's `on` said no. */
  readonly retryable?: boolean;
}

/** The caller's hold on an input. */
export interface InputTicket {
  /** The caller left or cancelled. Harmless when it is over. */
  cancel(reason: "disconnected" | "cancelled"): void;
  /** After `data` returned false: more may come. */
  resume(): void;
}
