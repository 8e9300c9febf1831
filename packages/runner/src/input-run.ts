import {
  SamovarError,
  decodeValue,
  toSerializedError,
  type CallTransport,
  type CallableDefinition,
  type HeldInput,
  type InputHead,
  type LogSource,
} from "@samovar/protocol";
import { toAbortReason, toCancelError, type CancelReason } from "./abort.ts";
import { answerHttp, answerValue, isResponse } from "./answer.ts";
import type { Batchers } from "./batcher.ts";
import { isCutCall } from "./calls.ts";
import { InputContext, type ContextSource, type WorkerFacts } from "./context.ts";
import { ReceiveQueue } from "./flow.ts";
import { describe } from "./hooks.ts";
import { isItemIterator, pumpItems, type AnyIterator } from "./item-pump.ts";
import { findCallable, type Loaded } from "./load.ts";
import { ReplyStream } from "./reply-stream.ts";
import { validate } from "./schema.ts";
import { scopes, type Scope } from "./scope.ts";
import type { ServerLink } from "./server-link.ts";
import { isThenable } from "./thenable.ts";
import type { WorkerLog } from "./worker-log.ts";

/** What inputs need of their worker. */
export interface InputHost {
  readonly facts: WorkerFacts;
  readonly loaded: Loaded;
  readonly link: ServerLink;
  readonly log: WorkerLog;
  readonly transport: CallTransport;
  readonly batchers: Batchers;
  /** The input is over and takes up no room any more. */
  done(run: InputRun): void;
}

const OUR_INPUT_ERRORS = new Set(["invalid_json", "invalid_input", "not_found", "protocol_error"]);

/**
 * One input, from its frame to its answer. Where neither schema nor handler returns a promise it is answered in the
 * same turn, without one.
 *
 * States: reading → running → answering → over; `cancel` may come at any time and only changes what is sent: the
 * input is over when the handler has settled, not before. `detach` may too: where the answer is kept for another
 * connection, answering lasts until that has taken it.
 */
export class InputRun implements Scope, ContextSource {
  readonly head: InputHead;
  readonly reply: ReplyStream;
  partial: Scope["partial"] = null;
  /** Told of a cancel; a batch listens for its members. */
  onCancel: (() => void) | null = null;
  readonly #host: InputHost;
  readonly #upload: ReceiveQueue | null;
  #body: Buffer;
  #callable: CallableDefinition | null = null;
  #ctx: InputContext | null = null;
  #controller: AbortController | null = null;
  #cancelled: CancelReason | null = null;
  #iterator: AnyIterator | null = null;
  /** A connection was lost while it ran. */
  #outlivedLoss = false;
  #over = false;

  constructor(host: InputHost, stream: number, head: InputHead, body: Buffer) {
    this.#host = host;
    this.head = head;
    this.#body = body;
    this.#upload = head.streamed ? new ReceiveQueue(host.link, stream) : null;
    this.reply = new ReplyStream(host.link, stream);
  }

  get source(): LogSource {
    return { kind: "input", taskId: this.head.taskId };
  }

  get ctx(): InputContext {
    return (this.#ctx ??= new InputContext(this, this.#host.facts));
  }

  get log(): WorkerLog {
    return this.#host.log;
  }

  get transport(): CallTransport {
    return this.#host.transport;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#cancelled) this.#controller.abort(toAbortReason(this.#cancelled, this.head.timeoutMs));
    }
    return this.#controller.signal;
  }

  get cancelled(): boolean {
    return this.#cancelled !== null;
  }

  requestBody(): Uint8Array | ReceiveQueue | null {
    return this.#upload && this.head.encoding === "raw" ? this.#upload : this.head.encoding === "none" || this.head.encoding === "query" ? null : this.#body;
  }

  start(): void {
    scopes.run(this, begin, this);
  }

  data(chunk: Buffer): void {
    this.#upload?.push(chunk);
  }

  dataEnd(): void {
    this.#upload?.end();
  }

  cancel(reason: CancelReason): void {
    if (this.#over || this.#cancelled) return;
    this.#cancelled = reason;
    this.#upload?.fail(toAbortReason(reason, this.head.timeoutMs));
    this.reply.mute();
    // In the input's own scope, so that what abort listeners and finally blocks log belongs to it.
    scopes.run(this, () => {
      this.#controller?.abort(toAbortReason(reason, this.head.timeoutMs));
      this.onCancel?.();
      this.#returnIterator();
    });
  }

  get held(): HeldInput {
    return { taskId: this.head.taskId, attempt: this.head.attempt, resumable: this.reply.isParked };
  }

  /**
   * The connection is gone and the stream with it. What the server will still want goes on undisturbed; of the rest a
   * unary handler goes on, for nobody, and a generator has no reader any more.
   */
  detach(): void {
    this.#outlivedLoss = true;
    if (this.#isResumable) return this.reply.park();
    this.reply.cut();
    this.#upload?.fail(new DOMException("The connection to the server was lost", "AbortError"));
    if (this.#iterator) scopes.run(this, () => this.#returnIterator());
  }

  get #isResumable(): boolean {
    return this.head.durable === true && this.reply.isUntouched && this.#iterator === null && (this.#upload === null || this.#upload.isEnded);
  }

  begin(): void {
    try {
      this.#callable = findCallable(this.#host.loaded.definition, this.head.method);
    } catch (error) {
      return this.#refuse(error);
    }
    if (this.#upload && this.head.encoding !== "raw") {
      this.#upload.readAll().then((body) => {
        this.#body = body;
        this.#read();
      }, this.#refuse);
    } else this.#read();
  }

  #read(): void {
    let input: unknown;
    try {
      input = parseBody(this.head.encoding, this.#body);
      const schema = this.#callable!.validateInput;
      if (schema) input = validate(schema, input, "invalid_input");
    } catch (error) {
      return this.#refuse(error);
    }
    if (isThenable(input)) input.then(this.#call, this.#refuse);
    else this.#call(input);
  }

  readonly #call = (input: unknown): void => {
    if (this.#cancelled) return this.#fail(null);
    const callable = this.#callable!;
    let result: unknown;
    try {
      result = callable.batch
        ? this.#host.batchers.add(callable, this, input)
        : callable.run.call(this.#host.loaded.instance, input as never, this.ctx as never);
    } catch (error) {
      return this.#fail(error);
    }
    if (isThenable(result)) result.then(this.#settle, this.#fail);
    else this.#settle(result);
  };

  readonly #settle = (result: unknown): void => {
    if (isItemIterator(result)) return void this.#pump(result);
    const schema = this.#callable!.validateOutput;
    try {
      // A Response is an answer in itself: an output schema describes what becomes JSON.
      if (!schema || isResponse(result)) return this.#answer(result);
      const checked = validate(schema, result, "invalid_output");
      if (isThenable(checked)) checked.then(this.#answer, this.#broke);
      else this.#answer(checked);
    } catch (error) {
      this.#broke(error);
    }
  };

  readonly #answer = (result: unknown): void => {
    try {
      this.#host.log.endScope(this);
      const sent = this.head.reply === "value" ? answerValue(this.reply, result) : answerHttp(this.reply, result, this.head.kept === true);
      if (sent) sent.then(this.#end, this.#broke);
      else this.#end();
    } catch (error) {
      this.#broke(error);
    }
  };

  async #pump(iterator: AnyIterator): Promise<void> {
    this.#iterator = iterator;
    if (this.#cancelled) this.#returnIterator();
    const schema = this.#callable!.validateOutput;
    try {
      await pumpItems(this.reply, iterator, {
        form: this.head.stream,
        check: schema ? (item) => validate(schema, item, "invalid_output") : (item) => item,
        onBroken: (error) => this.#logThrown(error),
      });
    } catch (error) {
      return error instanceof SamovarError && (error.code === "invalid_output" || error.code === "unserializable_result")
        ? this.#broke(error)
        : this.#fail(error);
    }
    if (this.#cancelled) this.#fail(null);
    else this.#end();
  }

  /** Async generators queue it behind the step that runs; what it rejects with, that step's reader hears too. */
  #returnIterator(): void {
    try {
      const returned = this.#iterator?.return?.(undefined);
      if (isThenable(returned)) returned.then(undefined, (error: unknown) => this.#logThrown(error));
    } catch (error) {
      this.#logThrown(error);
    }
  }

  /** The input itself was no good: not the handler's doing, unless its schema threw. */
  readonly #refuse = (error: unknown): void => {
    if (error instanceof SamovarError && OUR_INPUT_ERRORS.has(error.code)) this.#close(error, false, false);
    else this.#fail(error);
  };

  /** The result could not be sent. */
  readonly #broke = (error: unknown): void => {
    this.#logThrown(error);
    if (error instanceof SamovarError) this.#close(error, false, false);
    else this.#fail(error);
  };

  /** The handler threw; after a cancel whatever it threw is only its way of stopping. */
  readonly #fail = (error: unknown): void => {
    if (this.#cancelled) return this.#close(toCancelError(this.#cancelled, this.head.timeoutMs), false, true);
    this.#logThrown(error);
    // Our loss, not the handler's: its task is to be given back uncounted. One that ran through none was thrown an old error.
    if (this.#outlivedLoss && this.head.durable && isCutCall(error))
      return this.#close(new SamovarError("drained", "A call of the handler was cut off with the connection to the server", { cause: error }), false, true);
    let retryable = true;
    try {
      retryable = this.#callable?.retryOn?.(error) ?? true;
    } catch (thrown) {
      this.#logThrown(thrown);
    }
    this.#close(error, true, retryable);
  };

  #close(error: unknown, fromHandler: boolean, retryable: boolean): void {
    this.#host.log.endScope(this);
    const sent = this.reply.error({ error: toSerializedError(error), retryable, ...(fromHandler ? { fromHandler: true } : {}) });
    if (sent) void sent.then(this.#end);
    else this.#end();
  }

  #logThrown(error: unknown): void {
    this.#host.log.line(this.source, "error", describe(error));
  }

  readonly #end = (): void => {
    if (this.#over) return;
    this.#over = true;
    // Cancelled or cut: nothing that it sent has closed the stream.
    if (!this.reply.isClosed)
      void this.reply.error({ error: toSerializedError(toCancelError(this.#cancelled ?? "disconnected", this.head.timeoutMs)), retryable: true });
    this.#upload?.end();
    this.#host.log.endScope(this);
    this.#host.done(this);
  };
}

const begin = (run: InputRun): void => run.begin();

function parseBody(encoding: InputHead["encoding"], body: Buffer): unknown {
  switch (encoding) {
    case "json":
    case "query":
      try {
        return JSON.parse(body.toString()) as unknown;
      } catch (error) {
        throw new SamovarError("invalid_json", body.length === 0 ? "The body is empty: send JSON" : `The body is not JSON: ${(error as Error).message}`);
      }
    case "value":
      return decodeValue(body);
    case "raw":
    case "none":
      return undefined;
  }
}
