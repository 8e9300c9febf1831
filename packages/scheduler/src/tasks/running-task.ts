import { SamovarError, type AnswerHead, type TaskId } from "@samovar/protocol";
import type { LeftTask, WaitingTask } from "@samovar/storage";
import type { FunctionRuntime } from "../function-runtime.ts";
import type { InputFailure, InputRequest, InputSink, InputTicket, StartedInfo } from "../input.ts";
import type { SourcedInput } from "../input-source.ts";
import { parseReplyText } from "./reply-text.ts";

/** Results are kept whole: what a handler streams is gathered up to here. */
export const MAX_RESULT_BYTES = 64 * 1024 * 1024;

export interface RunningTaskOwner {
  began(running: RunningTask, info: StartedInfo): void;
  succeeded(running: RunningTask, head: AnswerHead, body: Buffer): void;
  failed(running: RunningTask, failure: InputFailure): void;
}

/**
 * One attempt of a task: what its pool asks for, and where its answer goes.
 *
 * States: running → over, by the one answer that its owner is told of, or by `revoke`, after which nobody is told.
 */
export class RunningTask implements SourcedInput, InputSink {
  readonly task: WaitingTask;
  readonly attempt: number;
  /** Whose it is, also when another version has its queue by now, or none. */
  readonly by: FunctionRuntime;
  /** An earlier server began it: `task` may lack its input. */
  readonly wasLeft: boolean;
  startedAtMs = 0;
  /** Once a worker has it. */
  start: StartedInfo | null = null;
  readonly #owner: RunningTaskOwner;
  #ticket: InputTicket | null = null;
  #isOver = false;
  #whenReleased: (() => void) | null = null;
  #isGiven = false;
  #hasLetGo = false;
  #head: AnswerHead | null = null;
  #chunks: Buffer[] = [];
  #size = 0;

  /** `begun`: the attempt was, by an earlier server. */
  constructor(owner: RunningTaskOwner, task: WaitingTask, by: FunctionRuntime, begun: Pick<LeftTask, "containerId" | "startedAtMs"> | null = null) {
    this.#owner = owner;
    this.task = task;
    this.attempt = task.attempt + 1;
    this.by = by;
    this.wasLeft = begun !== null;
    if (!begun) return;
    this.startedAtMs = begun.startedAtMs;
    this.start = { containerId: begun.containerId, version: by.version, coldStart: false, queuedMs: 0, phases: [] };
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get containerId(): string {
    return this.start?.containerId ?? "";
  }

  get request(): InputRequest {
    const { id, method, encoding, input, reply } = this.task;
    return {
      taskId: id as TaskId,
      method,
      encoding,
      ...parseReplyText(reply),
      body: encoding === "none" ? null : toBuffer(input),
      bodyStream: null,
      retries: false,
      headless: true,
    };
  }

  get sink(): InputSink {
    return this;
  }

  given(ticket: InputTicket): void {
    this.#ticket = ticket;
    this.#isGiven = true;
  }

  released(): void {
    this.#hasLetGo = true;
    this.#whenReleased?.();
  }

  /** No handler works on it: none did yet, or it has let go. */
  get isReleased(): boolean {
    return !this.#isGiven || this.#hasLetGo;
  }

  whenReleased(tell: () => void): void {
    this.#whenReleased = tell;
  }

  /** Its answer is of no interest any more: the worker is asked to stop. */
  revoke(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#chunks = [];
    this.#ticket?.cancel("cancelled");
  }

  // --- its pool tells (InputSink)

  started(info: StartedInfo): void {
    this.start = { ...info, version: this.by.version };
    this.#owner.began(this, this.start);
  }

  result(head: AnswerHead, body: Buffer): void {
    if (!this.#end()) return;
    if (body.length > MAX_RESULT_BYTES) this.#owner.failed(this, tooLarge(this));
    else this.#owner.succeeded(this, head, body);
  }

  head(head: AnswerHead): void {
    this.#head = head;
  }

  data(chunk: Buffer): boolean {
    if (this.#isOver) return true;
    this.#size += chunk.length;
    this.#chunks.push(chunk);
    if (this.#size > MAX_RESULT_BYTES) {
      this.#end();
      this.#chunks = [];
      this.#ticket?.cancel("cancelled");
      this.#owner.failed(this, tooLarge(this));
    }
    return true;
  }

  end(): void {
    if (this.#end()) this.#owner.succeeded(this, this.#head!, Buffer.concat(this.#chunks));
  }

  error(failure: InputFailure): void {
    if (this.#end()) this.#owner.failed(this, failure);
  }

  #end(): boolean {
    if (this.#isOver) return false;
    return (this.#isOver = true);
  }
}

function tooLarge({ containerId, attempt }: RunningTask): InputFailure {
  const error = new SamovarError(
    "unserializable_result",
    `The result of a task is kept, and may have ${MAX_RESULT_BYTES / 1024 / 1024} MiB at most: write what is larger to a file or a store, and return where it is`,
  );
  return { error, thrown: null, containerId, attempt, retryable: false };
}

const toBuffer = (bytes: Uint8Array): Buffer => (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
