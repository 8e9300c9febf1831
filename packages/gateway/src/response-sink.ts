import type { IncomingMessage, ServerResponse } from "node:http";
import { HEADERS, SamovarError, encodeItemError, toSerializedError, type AnswerHead, type SerializedError } from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import type { FunctionEntry, InputFailure, InputRequest, InputSink, InputTicket, StartedInfo } from "@samovar/scheduler";
import { appendAnswerHeaders, appendSharedHeaders, declaredLength } from "./answer-headers.ts";
import { ItemBoundary } from "./item-boundary.ts";
import { sendProblem, shownError, type FlatHeaders } from "./problem.ts";
import { dropRest, hasBody } from "./request-body.ts";
import { functionPrefix } from "./route.ts";
import { serverTiming } from "./server-timing.ts";

/** What all calls of a gateway share. */
export interface SinkContext {
  readonly clock: Clock;
  /** How long what is left of a body may come after its answer. */
  readonly lingerMs: number;
  /** How long a client may take in nothing of what was sent to it. */
  readonly readerIdleMs: number;
  readonly draining: boolean;
  /** A call that was let in is over; `status` is what came of it, 499 when the caller left. */
  callEnded(entry: FunctionEntry, status: number, durationMs: number): void;
  /** A response is over, by its end or by the client's. */
  closed(): void;
}

/** What one call is. */
export interface SinkCall {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Whose end is told to `callEnded`; null for an answer that is only read. */
  readonly entry: FunctionEntry | null;
  /** Of the function; null where only the task's attempt knows. */
  readonly version: number | null;
  readonly taskId: string;
  readonly stream: InputRequest["stream"];
  /** Whether this caller may see stacks. */
  readonly stacks: boolean;
  /** On the monotonic clock. */
  readonly arrivedMs: number;
  /** The answer's origin is the function's own, not that of all paths. */
  readonly ownHost: boolean;
  /** Of the answer, whatever it is. */
  readonly headers?: FlatHeaders;
  /** Told once, at the end. */
  readonly over?: () => void;
}

export const CALLER_LEFT = 499;
/** An answer that isn't as long as it says is the handler's mistake. */
const WRONG_LENGTH = 500;

/**
 * Writes the answer to one input to its HTTP response.
 *
 * States: waiting → over by `result`, `error`, `fail` or the client's hang-up; waiting → streaming by `head`;
 * streaming → over by `end`, `error` or the hang-up. What comes when it is over is dropped: after a hang-up or a
 * failure of our own the pool may still have something on its way.
 */
export class ResponseSink implements InputSink {
  readonly #context: SinkContext;
  readonly #call: SinkCall;
  #state: "waiting" | "streaming" | "over" = "waiting";
  #started: StartedInfo | null = null;
  #coldStart = false;
  #ticket: InputTicket | null = null;
  /** Why to cancel, known before the ticket was: a pool may answer while it is being asked. */
  #cancelOwed: "disconnected" | "cancelled" | null = null;
  #cancelWait: (() => void) | null = null;
  #items: ItemBoundary | null = null;
  #status = 0;
  #isReaderTimed = false;
  /** Bytes that the declared length still has; Infinity where none is declared. */
  #left = Infinity;

  constructor(context: SinkContext, call: SinkCall) {
    this.#context = context;
    this.#call = call;
    call.res.on("close", () => this.#closed());
  }

  /** Gives the sink its hold on the input. */
  attach(ticket: InputTicket): void {
    this.#ticket = ticket;
    if (this.#cancelOwed) ticket.cancel(this.#cancelOwed);
  }

  /** Bounds the time to the first sign of an answer. */
  limitWait(waitMs: number, expired: () => void): void {
    this.#cancelWait = this.#context.clock.after(waitMs, expired);
  }

  /** A worker has, or had, the input. */
  get isStarted(): boolean {
    return this.#started !== null;
  }

  /** Answers 202, in place of what the input comes to, and leaves it. */
  accept(headers: FlatHeaders, body: string): void {
    if (!this.#answers()) return;
    const own = this.#ownHeaders();
    this.#finish(202);
    this.#call.res.writeHead(202, [...own, ...headers, "content-length", Buffer.byteLength(body)] as string[]);
    this.#call.res.end(body);
    this.#cancel("disconnected");
  }

  /** Ends the call for a reason of the gateway's own. */
  fail(error: SamovarError): void {
    if (this.#state === "over") return;
    this.#refuse(error, null);
    this.#cancel("cancelled");
  }

  started(info: StartedInfo): void {
    this.#started = info;
    this.#coldStart ||= info.coldStart;
  }

  result(head: AnswerHead, body: Buffer): void {
    if (!this.#answers()) return;
    const bodiless = head.status === 204 || head.status === 304;
    const headers = this.#ownHeaders();
    if (!bodiless) headers.push("content-length", body.length);
    if (!this.#writeHead(head, headers)) return;
    this.#finish(head.status);
    const { res } = this.#call;
    // Node sends a string in one piece with its head, and bytes in a second one; latin1 keeps every byte.
    if (bodiless) res.end();
    else if (body.length <= 4_096) res.end(body.toString("latin1"), "latin1");
    else this.#end(body);
  }

  head(head: AnswerHead): void {
    if (!this.#answers()) return;
    const { req, res, stream } = this.#call;
    const headers = this.#ownHeaders();
    const length = declaredLength(head.headers);
    if (length !== undefined) {
      headers.push("content-length", length);
      this.#left = length;
    }
    if (!this.#writeHead(head, headers)) return;
    if (req.method === "HEAD" || head.status === 204 || head.status === 304) {
      this.#finish(head.status);
      res.end();
      this.#cancel("disconnected");
      return;
    }
    this.#state = "streaming";
    this.#status = head.status;
    if (head.items) this.#items = new ItemBoundary(stream);
    res.on("drain", () => {
      this.#stopTimingReader();
      this.#ticket?.resume();
    });
    // Between a socket's end and `close` a write is an error event; `close` then says all there is to say.
    res.on("error", () => {});
    res.flushHeaders();
  }

  data(chunk: Buffer): boolean {
    const { res } = this.#call;
    if (this.#state !== "streaming" || res.destroyed) return true;
    if (chunk.length > this.#left) {
      this.#break(WRONG_LENGTH);
      return true;
    }
    this.#left -= chunk.length;
    this.#items?.track(chunk);
    const wantsMore = res.write(chunk);
    if (!wantsMore) this.#timeReader();
    return wantsMore;
  }

  end(): void {
    if (this.#state !== "streaming") return;
    if (this.#left > 0 && this.#left !== Infinity) return this.#break(WRONG_LENGTH);
    this.#finish(this.#status);
    this.#end();
  }

  error(failure: InputFailure): void {
    if (this.#state === "over") return;
    this.#refuse(failure.error, failure.thrown, failure.containerId);
  }

  #refuse(error: SamovarError, thrown: SerializedError | null, containerId: string | null = null): void {
    const { res, stacks } = this.#call;
    if (this.#state === "streaming") return this.#failStream(error, thrown);
    if (!this.#answers()) return;
    this.#finish(error.status);
    const headers = this.#ownHeaders();
    if (!this.#started && containerId !== null) headers.push(HEADERS.containerId, containerId);
    sendProblem(res, error, { thrown, stacks, headers });
  }

  /** A stream of items ends with the error in its own form; of any other, breaking off is the only sign there is. */
  #failStream(error: SamovarError, thrown: SerializedError | null): void {
    const { res, stream, stacks } = this.#call;
    if (!this.#items?.isBetweenItems || res.destroyed) return this.#break(error.status);
    this.#finish(error.status);
    this.#end(encodeItemError(stream, shownError(thrown ?? toSerializedError(error), stacks)));
  }

  #break(status: number): void {
    this.#finish(status);
    this.#cancel("cancelled");
    this.#call.res.destroy();
  }

  /** Whether an answer may still begin. */
  #answers(): boolean {
    return this.#state === "waiting" && !this.#call.res.destroyed;
  }

  #writeHead(head: AnswerHead, headers: FlatHeaders): boolean {
    const { req, res, ownHost } = this.#call;
    try {
      if (!Number.isInteger(head.status) || head.status < 200 || head.status > 599) throw new RangeError(`The status ${head.status} is not one of an answer`);
      if (ownHost) appendAnswerHeaders(headers, head.headers);
      else appendSharedHeaders(headers, head.headers, () => functionPrefix(req.url!));
      res.writeHead(head.status, headers as string[]);
      this.#endWait();
      return true;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#refuse(new SamovarError("unserializable_result", `The answer's head can't be sent: ${why}`, { cause: error }), null);
      this.#cancel("cancelled");
      return false;
    }
  }

  #ownHeaders(): FlatHeaders {
    const { taskId, arrivedMs } = this.#call;
    const started = this.#started;
    const version = started?.version ?? this.#call.version;
    const headers: FlatHeaders = [HEADERS.taskId, taskId];
    if (version !== null) headers.push(HEADERS.version, version);
    if (this.#call.headers) headers.push(...this.#call.headers);
    if (started) {
      headers.push(HEADERS.containerId, started.containerId, HEADERS.coldStart, this.#coldStart ? "1" : "0");
      headers.push(HEADERS.serverTiming, serverTiming(started, this.#context.clock.monotonic() - arrivedMs));
    }
    if (this.#context.draining) headers.push("connection", "close");
    return headers;
  }

  #finish(status: number): void {
    this.#over(status);
    const { req } = this.#call;
    if (!req.readableEnded && hasBody(req)) dropRest(req, this.#context.clock, this.#context.lingerMs);
  }

  #cancel(reason: "disconnected" | "cancelled"): void {
    if (this.#ticket) this.#ticket.cancel(reason);
    else this.#cancelOwed = reason;
  }

  #endWait(): void {
    this.#cancelWait?.();
    this.#cancelWait = null;
  }

  #closed(): void {
    this.#context.closed();
    if (this.#state === "over") return;
    this.#over(CALLER_LEFT);
    this.#cancel("disconnected");
  }

  #over(status: number): void {
    this.#state = "over";
    this.#endWait();
    const { entry, arrivedMs, over } = this.#call;
    if (entry) this.#context.callEnded(entry, status, this.#context.clock.monotonic() - arrivedMs);
    over?.();
  }

  /** The last bytes of an answer; who doesn't take them in is not waited for for ever. */
  #end(last?: Buffer): void {
    const { res } = this.#call;
    if (last) res.end(last);
    else res.end();
    if (res.writableLength === 0 || !this.#timeReader()) return;
    // Behind Node's own listener, which has set the time to the next request, unless one is waiting already.
    res.once("finish", () => {
      if (res.req.socket.timeout === this.#context.readerIdleMs) this.#stopTimingReader();
    });
  }

  /** By the socket's own timer, which starts anew with every byte that goes out. False for an answer that isn't the socket's turn. */
  #timeReader(): boolean {
    const { socket } = this.#call.res;
    if (!socket) return false;
    if (!this.#isReaderTimed) socket.setTimeout(this.#context.readerIdleMs);
    return (this.#isReaderTimed = true);
  }

  #stopTimingReader(): void {
    if (!this.#isReaderTimed) return;
    this.#isReaderTimed = false;
    this.#call.req.socket.setTimeout(0);
  }
}
