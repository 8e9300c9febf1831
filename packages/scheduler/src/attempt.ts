import { SamovarError, type AnswerHead, type ErrorMessage } from "@samovar/protocol";
import type { Deadline } from "./deadlines.ts";
import type { InputFailure } from "./input.ts";
import type { Pool } from "./pool.ts";
import type { PoolInput } from "./pool-types.ts";
import type { WorkerInput, Worker } from "./worker.ts";
import type { AnswerEvents, InputStream } from "./worker-peer.ts";

/**
 * One try of one input on one worker: what its stream's frames and its worker's end mean. It is fenced by being this
 * object: once its input goes on without it (timeout, retry), whatever still comes only frees the slot.
 */
export class Attempt implements AnswerEvents, WorkerInput {
  readonly input: PoolInput;
  readonly worker: Worker;
  readonly startedAtMs: number;
  stream: InputStream | null = null;
  deadline: Deadline | null = null;
  stuck = false;
  settled = false;
  headSent = false;
  readonly #pool: Pool;
  #released = false;

  constructor(pool: Pool, input: PoolInput, worker: Worker, startedAtMs: number) {
    this.#pool = pool;
    this.input = input;
    this.worker = worker;
    this.startedAtMs = startedAtMs;
  }

  /** It still speaks for its input. */
  get isCurrent(): boolean {
    return this.input.attempt === this;
  }

  result(head: AnswerHead, body: Buffer): void {
    this.#release();
    this.#pool.settle(this, true);
    if (this.isCurrent) this.#pool.finish(this.input, null)?.result(head, body);
  }

  head(head: AnswerHead): void {
    this.headSent = true;
    if (!this.isCurrent) return;
    this.#pool.extendDeadline(this);
    this.input.sink?.head(head);
  }

  data(chunk: Buffer): boolean {
    if (!this.isCurrent || !this.input.sink) return true;
    this.#pool.extendDeadline(this);
    const more = this.input.sink.data(chunk);
    // A reader that doesn't read stops the clock: the handler can't be blamed for the wait.
    if (!more) this.#pool.suspendDeadline(this);
    return more;
  }

  end(ok: boolean): void {
    this.#release();
    this.#pool.settle(this, ok);
    if (this.isCurrent) this.#pool.finish(this.input, ok ? null : brokenStream(this))?.end();
  }

  error(message: ErrorMessage): void {
    this.#release();
    this.#pool.settle(this, false);
    // The worker was asked to stop from outside while this input was on its way to it.
    const refused = message.error.code === "drained" && !message.fromHandler;
    if (this.isCurrent) this.#pool.attemptFailed(this, refused ? { kind: "drained", reason: message.error.message } : { kind: "thrown", message });
  }

  lost(reason: string): void {
    this.#release();
    if (this.settled) return;
    this.#pool.settle(this, false);
    if (this.isCurrent) this.#pool.attemptFailed(this, { kind: "lost", reason });
  }

  giveBack(): void {
    if (this.settled) return;
    this.stream?.cancel("drained");
    this.#pool.settle(this, false);
    if (this.isCurrent) this.#pool.attemptFailed(this, { kind: "drained", reason: null });
  }

  /** Its handler has settled, or its worker is gone; the slot may have been given up before. */
  #release(): void {
    if (this.#released) return;
    this.#released = true;
    this.input.released?.();
  }
}

/** Its caller has read the error in the stream itself. */
function brokenStream({ input, worker }: Attempt): InputFailure {
  const error = new SamovarError("handler_error", "The stream ended with an error, which its caller was told");
  return { error, thrown: null, containerId: worker.container.id, attempt: input.attempts };
}
