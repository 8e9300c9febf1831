import { SamovarError, type BatchManifest, type CallTransport, type CallableDefinition, type InputHead, type LogSource } from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import { InputContext, type ContextSource, type WorkerFacts } from "./context.ts";
import type { InputRun } from "./input-run.ts";
import { scopes, type Scope } from "./scope.ts";

interface Member {
  readonly run: InputRun;
  readonly input: unknown;
  resolve(output: unknown): void;
  reject(error: unknown): void;
}

interface Waiting {
  members: Member[];
  cancelTimer: () => void;
}

/** Gathers the inputs of batch handlers: a batch runs when it is full, or when its first member waited long enough. */
export class Batchers {
  readonly #clock: Clock;
  readonly #facts: WorkerFacts;
  readonly #self: object | undefined;
  readonly #waiting = new Map<CallableDefinition, Waiting>();

  constructor(clock: Clock, facts: WorkerFacts, self: object | undefined) {
    this.#clock = clock;
    this.#facts = facts;
    this.#self = self;
  }

  add(callable: CallableDefinition, run: InputRun, input: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { maxBatchSize, waitMs } = callable.batch as BatchManifest;
      const member: Member = { run, input, resolve, reject };
      let waiting = this.#waiting.get(callable);
      if (!waiting) {
        waiting = { members: [], cancelTimer: this.#clock.after(waitMs, () => this.#flush(callable)) };
        this.#waiting.set(callable, waiting);
      }
      waiting.members.push(member);
      run.onCancel = () => this.#leave(callable, member);
      if (waiting.members.length >= maxBatchSize) this.#flush(callable);
    });
  }

  /** Nothing more comes: what waits need not. For a worker that drains. */
  flushAll(): void {
    for (const callable of [...this.#waiting.keys()]) this.#flush(callable);
  }

  #leave(callable: CallableDefinition, member: Member): void {
    const waiting = this.#waiting.get(callable);
    const at = waiting?.members.indexOf(member) ?? -1;
    if (!waiting || at === -1) return;
    waiting.members.splice(at, 1);
    if (waiting.members.length === 0) {
      waiting.cancelTimer();
      this.#waiting.delete(callable);
    }
    member.reject(new Error("cancelled"));
  }

  #flush(callable: CallableDefinition): void {
    const waiting = this.#waiting.get(callable);
    if (!waiting) return;
    this.#waiting.delete(callable);
    waiting.cancelTimer();
    void runBatch(callable, waiting.members, this.#facts, this.#self);
  }
}

async function runBatch(callable: CallableDefinition, members: readonly Member[], facts: WorkerFacts, self: object | undefined): Promise<void> {
  const scope = new BatchScope(members, facts);
  try {
    const inputs = members.map((member) => member.input);
    const outputs: unknown = await scopes.run(scope, () => callable.run.call(self, inputs as never, scope.ctx as never));
    if (!Array.isArray(outputs))
      throw new SamovarError(
        "batch_mismatch",
        `A batch handler returned ${outputs === null ? "null" : typeof outputs}, not a list. Return one result for each of its ${members.length} inputs, in order`,
      );
    if (outputs.length !== members.length) {
      throw new SamovarError(
        "batch_mismatch",
        `A batch handler returned ${outputs.length} results for ${members.length} inputs. Return one result for each, in order`,
      );
    }
    members.forEach((member, i) => (isBatchError(outputs[i]) ? member.reject(outputs[i]) : member.resolve(outputs[i])));
  } catch (error) {
    for (const member of members) member.reject(error);
  }
}

/** A batch runs as its first member's input; its signal aborts when every member was cancelled. */
class BatchScope implements Scope, ContextSource {
  readonly head: InputHead;
  readonly ctx: InputContext;
  readonly source: LogSource;
  readonly transport: CallTransport;
  readonly log: InputRun["log"];
  readonly signal: AbortSignal;

  constructor(members: readonly Member[], facts: WorkerFacts) {
    const first = members[0]!.run;
    this.head = first.head;
    this.source = first.source;
    this.transport = first.transport;
    this.log = first.log;
    const controller = new AbortController();
    this.signal = controller.signal;
    for (const { run } of members) {
      run.onCancel = () => {
        if (members.every((member) => member.run.cancelled)) controller.abort(run.signal.reason);
      };
    }
    this.#first = first;
    this.ctx = new InputContext(this, facts);
  }

  readonly #first: InputRun;

  get partial(): Scope["partial"] {
    return this.#first.partial;
  }

  set partial(value: Scope["partial"]) {
    this.#first.partial = value;
  }

  requestBody(): ReturnType<InputRun["requestBody"]> {
    return this.#first.requestBody();
  }
}

/** By name, as the class is in user code's copy of the SDK. */
function isBatchError(value: unknown): value is Error {
  return value instanceof Error && value.name === "BatchError";
}
