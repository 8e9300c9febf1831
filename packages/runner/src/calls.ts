import {
  CHUNK_BYTES,
  CONTENT_TYPES,
  FRAME,
  ItemDecoder,
  MAX_BODY_BYTES,
  MAX_FRAME_BYTES,
  SERVER_AWAY_MS,
  SamovarError,
  decodeValue,
  encodeValue,
  toEncodedTask,
  fromSerializedError,
  splitHeadBody,
  type AnswerHead,
  type CallHead,
  type CallTarget,
  type CallTransport,
  type ErrorMessage,
  type Frame,
  type PutTask,
  type PutTaskResult,
  type PutTasksResponse,
  type ScaleTarget,
  type ScalingPatch,
  type TaskInfo,
  type TaskQuestion,
  type WindowMessage,
} from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import { ReceiveQueue, SendWindow } from "./flow.ts";
import type { ServerLink } from "./server-link.ts";

interface OpenCall {
  readonly body: ReceiveQueue;
  readonly window: SendWindow;
  /** Settles when the answer begins: with its head, or with what went wrong. */
  begin(head: AnswerHead): void;
  fail(error: unknown): void;
}

/** Told from a remote error of the same code, which is an answer. */
class ConnectionLost extends SamovarError {
  constructor(message: string) {
    super("server_unreachable", message);
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && ConnectionLost.prototype.isPrototypeOf(value);
  }
}

const STAYED_AWAY = "The server stayed away";

const MAX_CAUSES = 8;

/** Whether it is a call that was cut off with the connection or could not be made without one, or was caused by such a call. */
export function isCutCall(error: unknown): boolean {
  let at = error;
  for (let depth = 0; depth <= MAX_CAUSES && typeof at === "object" && at !== null; depth++) {
    if (at instanceof ConnectionLost) return true;
    at = (at as { cause?: unknown }).cause;
  }
  return false;
}

/** Leaves room for the head in a frame that carries a whole input. */
const MAX_INLINE_INPUT_BYTES = MAX_FRAME_BYTES - 64 * 1024;

/** Calls that user code makes to functions of its app: streams with even numbers, which the worker opens. */
export class Calls implements CallTransport {
  readonly #link: ServerLink;
  readonly #open = new Map<number, OpenCall>();
  readonly #functionIds: () => Readonly<Record<string, string>>;
  readonly #clock: Clock;
  /** Those that wait for the server to be back: a task outlives its server. */
  readonly #awaiting = new Set<PromiseWithResolvers<void>>();
  #isGone = false;
  #nextStream = 2;

  constructor(link: ServerLink, clock: Clock, functionIds: () => Readonly<Record<string, string>>) {
    this.#link = link;
    this.#clock = clock;
    this.#functionIds = functionIds;
  }

  async call(target: CallTarget, input: unknown, options: { readonly signal?: AbortSignal }): Promise<unknown> {
    return this.#ask(toCallHead(target, false), input, options.signal);
  }

  async *stream(target: CallTarget, input: unknown, options: { readonly signal?: AbortSignal }): AsyncGenerator<unknown> {
    const { body, begun, dispose } = this.#begin(toCallHead(target, true), input, options.signal);
    try {
      const head = await begun;
      const type = head.headers.find(([name]) => name === "content-type")?.[1];
      if (type !== CONTENT_TYPES.values)
        throw new SamovarError("protocol_error", `${target.name} answered with ${type ?? "nothing"}, not a stream of values. Is it a generator?`);
      const items = new ItemDecoder();
      for await (const chunk of body) yield* items.push(chunk);
      items.finish();
    } finally {
      dispose();
    }
  }

  async scale(target: ScaleTarget, patch: ScalingPatch): Promise<void> {
    await this.#ask({ kind: "scale", functionName: target.name, streaming: false }, patch, undefined);
  }

  async put(target: CallTarget, tasks: readonly PutTask[], options: { readonly signal?: AbortSignal }): Promise<readonly PutTaskResult[]> {
    const answer = await this.#ask({ kind: "put", ...toCallHead(target, false) }, { tasks: tasks.map(toEncodedTask) }, options.signal);
    return (answer as PutTasksResponse).tasks;
  }

  async taskResult(id: string, { timeoutMs, signal }: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<unknown> {
    const begunAt = this.#clock.monotonic();
    for (;;) {
      const waitMs = timeoutMs === undefined ? {} : { waitMs: Math.max(0, Math.ceil(timeoutMs - (this.#clock.monotonic() - begunAt))) };
      try {
        return await this.#askTask({ ask: "result", id, ...waitMs }, signal);
      } catch (error) {
        // Ours alone: a task may have failed with this code.
        if (!(error instanceof ConnectionLost)) throw error;
        await this.#awaitServer(
          waitMs.waitMs,
          signal,
          () => new SamovarError("timeout", "The task is not known to be over: the server is away", { cause: error }),
        );
      }
    }
  }

  async serverIsBack(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.#awaitServer(SERVER_AWAY_MS, signal, () => new ConnectionLost(STAYED_AWAY));
  }

  async taskInfo(id: string): Promise<TaskInfo> {
    return (await this.#askTask({ ask: "info", id })) as TaskInfo;
  }

  async cancelTask(id: string): Promise<boolean> {
    return (await this.#askTask({ ask: "cancel", id })) as boolean;
  }

  frame(frame: Frame): void {
    const call = this.#open.get(frame.stream);
    // What belongs to a call that is over crossed its end on the way.
    if (!call) return;
    switch (frame.type) {
      case FRAME.result: {
        const { head, body } = splitHeadBody(frame.payload);
        this.#open.delete(frame.stream);
        call.begin(decodeValue(head) as AnswerHead);
        call.body.push(body);
        return call.body.end();
      }
      case FRAME.head:
        return call.begin(decodeValue(splitHeadBody(frame.payload).head) as AnswerHead);
      case FRAME.data:
        return call.body.push(frame.payload);
      case FRAME.end:
        this.#open.delete(frame.stream);
        return call.body.end();
      case FRAME.error: {
        this.#open.delete(frame.stream);
        return call.fail(fromSerializedError((decodeValue(frame.payload) as ErrorMessage).error));
      }
      case FRAME.window:
        return call.window.grant((decodeValue(frame.payload) as WindowMessage).bytes);
      default:
        throw new SamovarError("protocol_error", `A server sent frame type 0x${frame.type.toString(16)} on a call`);
    }
  }

  /** The connection is gone, and every call with it. */
  lost(): void {
    const calls = [...this.#open.values()];
    this.#open.clear();
    for (const call of calls) call.fail(new ConnectionLost("The connection to the server was lost during the call. Call again"));
  }

  /** The server took the worker (back). */
  welcomed(): void {
    for (const waiting of [...this.#awaiting]) waiting.resolve();
  }

  /** The server won't be back. */
  gone(): void {
    this.#isGone = true;
    for (const waiting of [...this.#awaiting]) waiting.reject(new ConnectionLost(STAYED_AWAY));
  }

  #askTask(question: TaskQuestion, signal?: AbortSignal): Promise<unknown> {
    return this.#ask({ kind: "task", functionName: question.id, streaming: false }, question, signal);
  }

  async #ask(call: CallHead, input: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    const { body, begun, dispose } = this.#begin(call, input, signal);
    try {
      const head = await begun;
      if (head.items)
        throw new SamovarError("invalid_request", `${call.functionName} answers with a stream of items, not one value. Call it with .stream(input)`);
      const bytes = await body.readAll();
      return bytes.length === 0 ? undefined : decodeValue(bytes);
    } finally {
      dispose();
    }
  }

  async #awaitServer(withinMs: number | undefined, signal: AbortSignal | undefined, tooLate: () => SamovarError): Promise<void> {
    if (this.#link.isOpen) return;
    if (this.#isGone) throw new ConnectionLost(STAYED_AWAY);
    const waiting = Promise.withResolvers<void>();
    this.#awaiting.add(waiting);
    const abort = (): void => waiting.reject(signal!.reason);
    signal?.addEventListener("abort", abort, { once: true });
    const cancelTimer = withinMs === undefined ? undefined : this.#clock.after(withinMs, () => waiting.reject(tooLate()));
    try {
      await waiting.promise;
    } finally {
      cancelTimer?.();
      signal?.removeEventListener("abort", abort);
      this.#awaiting.delete(waiting);
    }
  }

  #begin(call: CallHead, input: unknown, signal: AbortSignal | undefined): { body: ReceiveQueue; begun: Promise<AnswerHead>; dispose: () => void } {
    signal?.throwIfAborted();
    if (!this.#link.isOpen) throw new ConnectionLost(`${call.functionName} can't be called: the server is away. Call again`);
    const bytes = encodeValue(input, "unserializable_input");
    if (call.kind === "put" && bytes.length > MAX_BODY_BYTES)
      throw new SamovarError("payload_too_large", `The inputs for ${call.functionName} take ${bytes.length} bytes. Put fewer at a time`);
    const stream = this.#nextStream;
    this.#nextStream += 2;
    const { promise: begun, resolve, reject } = Promise.withResolvers<AnswerHead>();
    // Whoever reads the body hears the failure too; that one of them does is enough.
    begun.catch(() => {});
    const body = new ReceiveQueue(this.#link, stream);
    const window = new SendWindow();
    const fail = (error: unknown): void => {
      reject(error);
      body.fail(error);
      window.close();
    };
    this.#open.set(stream, { body, window, begin: resolve, fail });

    const cancel = (): void => {
      if (this.#open.delete(stream)) this.#link.send(FRAME.cancel, stream, encodeValue({ reason: "cancelled" }));
    };
    const onAbort = (): void => {
      cancel();
      fail(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });

    const functionId = this.#functionIds()[call.functionName];
    const streamed = bytes.length > MAX_INLINE_INPUT_BYTES;
    const head: CallHead = { ...call, ...(functionId === undefined ? {} : { functionId }), ...(streamed ? { streamed } : {}) };
    this.#link.sendHeadBody(FRAME.open, stream, encodeValue(head, "unserializable_input"), streamed ? null : bytes);
    if (streamed) void this.#upload(stream, window, bytes);
    return {
      body,
      begun,
      dispose: () => {
        signal?.removeEventListener("abort", onAbort);
        cancel();
      },
    };
  }

  async #upload(stream: number, window: SendWindow, bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      if (window.room <= 0) await window.wait();
      if (!this.#open.has(stream)) return;
      const size = Math.min(CHUNK_BYTES, window.room, bytes.length - at);
      this.#link.send(FRAME.data, stream, bytes.subarray(at, at + size));
      window.take(size);
      at += size;
    }
    this.#link.send(FRAME.end, stream, null);
  }
}

const toCallHead = ({ name, method, parameters }: CallTarget, streaming: boolean): CallHead => ({
  functionName: name,
  ...(method === undefined ? {} : { method }),
  ...(parameters === undefined ? {} : { parameters }),
  streaming,
});
