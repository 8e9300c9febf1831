import { MAX_PUT_TASKS, SamovarError, type PutTask, type PutTaskResult } from "@samovar/protocol";

export type SendPuts = (tasks: readonly PutTask[]) => Promise<readonly PutTaskResult[]>;

/** Of the inputs in a merged request: a larger one would take longer than what merging saves. */
const MAX_TOGETHER_BYTES = 1024 * 1024;

/** Larger inputs cost more than their request, and would hold up those behind them. */
const MAX_INPUT_BYTES = 64 * 1024;

/** Whether it may share a request: its input is encoded and small. */
export const isForLane = (task: PutTask): boolean => bytesOf(task) <= MAX_INPUT_BYTES;

const bytesOf = ({ encodedInput }: PutTask): number => encodedInput?.length ?? 0;

interface Waiting {
  readonly task: PutTask;
  resolve(result: PutTaskResult): void;
  reject(error: unknown): void;
}

/**
 * Single puts for one function, method and constructor arguments. A request costs several times what a task in it costs,
 * so what is put meanwhile shares the next one, in the order of the calls.
 *
 * - idle: nothing waits; the lane can be forgotten. A put → gathering.
 * - gathering: until the end of this turn of the event loop, without a timer: a put by itself waits for nothing. → under way.
 * - under way: one request; puts wait behind it. Answered: each has its own result. Lost, or failed by the server: all of
 *   it reject, since nobody knows what was queued. Refused (4xx): nothing of it was queued, so its halves are sent one
 *   after the other, down to single ones, and one caller's mistake is only its own. Then → gathering while puts wait, else idle.
 * - closed: what waits rejects with `cancelled`, and nothing is sent again. What is under way ends with its connection.
 *
 * Memory: one request of at most 1 MiB, and the encoded inputs of callers that wait.
 */
export class PutLane {
  readonly #send: SendPuts;
  readonly #onIdle: () => void;
  #waiting: Waiting[] = [];
  #isBusy = false;
  #isClosed = false;

  constructor(send: SendPuts, onIdle: () => void) {
    this.#send = send;
    this.#onIdle = onIdle;
  }

  put(task: PutTask): Promise<PutTaskResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, resolve, reject });
      if (!this.#isBusy) this.#gather();
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(closedError());
  }

  /** Behind the promise callbacks of this turn: who was just answered often puts the next one. */
  #gather(): void {
    this.#isBusy = true;
    process.nextTick(() => void this.#sendNext());
  }

  async #sendNext(): Promise<void> {
    const together = this.#takeNext();
    if (together.length > 0) await this.#sendTogether(together);
    if (this.#waiting.length > 0) return this.#gather();
    this.#isBusy = false;
    this.#onIdle();
  }

  #takeNext(): readonly Waiting[] {
    let bytes = 0;
    const end = this.#waiting.findIndex(({ task }, index) => {
      bytes += bytesOf(task);
      return index === MAX_PUT_TASKS || (bytes > MAX_TOGETHER_BYTES && index > 0);
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }

  async #sendTogether(together: readonly Waiting[]): Promise<void> {
    try {
      const results = await this.#send(together.map(({ task }) => task));
      for (const [index, { resolve }] of together.entries()) resolve(results[index]!);
    } catch (error) {
      if (together.length === 1 || !isRefusalOfSome(error)) {
        for (const { reject } of together) reject(error);
      } else if (this.#isClosed) {
        for (const { reject } of together) reject(closedError());
      } else {
        const middle = Math.ceil(together.length / 2);
        await this.#sendTogether(together.slice(0, middle));
        await this.#sendTogether(together.slice(middle));
      }
    }
  }
}

/** What every request of this caller for this function would be told. */
const OF_ALL: ReadonlySet<string> = new Set(["unauthorized", "forbidden", "not_found"]);

/** The server, or the client before it sent anything, said no: nothing was queued. Nothing else says that. */
const isRefusalOfSome = (error: unknown): boolean => error instanceof SamovarError && error.status >= 400 && error.status < 500 && !OF_ALL.has(error.code);

const closedError = (): SamovarError => new SamovarError("cancelled", "The client was closed before this was put: nothing was queued");
