import type { FunctionKind, InputHead, LoadMessage, LogSource, RequestHead, StopReason } from "@samovar/protocol";
import type { ReceiveQueue } from "./flow.ts";
import type { ScopeLog } from "./scope.ts";
import { toWebRequest } from "./request.ts";
import { UserLog } from "./user-log.ts";

/** What does not change while a worker lives, shared by all its contexts. */
export interface WorkerFacts {
  readonly containerId: string;
  readonly workerIndex: number;
  readonly runtimeVersion: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly load: LoadMessage;
  onStartValue: unknown;
}

/** What hooks get. Later phases know more; each has what its table in docs/lifecycle.md names. */
export function createHookContext(
  phase: "build" | "deploy" | "start" | "stop",
  facts: WorkerFacts,
  log: ScopeLog,
  source: LogSource,
  signal: AbortSignal,
  reason: StopReason | null,
): object {
  const { load } = facts;
  const build = { env: facts.env, log: new UserLog(log, source), signal };
  if (phase === "build") return build;
  const deploy = { ...build, deployment: load.deployment, version: load.version };
  if (phase === "deploy") return deploy;
  const start = {
    ...deploy,
    containerId: facts.containerId,
    workerIndex: facts.workerIndex,
    functionId: load.functionId,
    functionKind: load.functionKind,
    runtimeVersion: facts.runtimeVersion,
    onDeployValue: load.onDeployValue,
  };
  return phase === "start" ? start : { ...start, onStartValue: facts.onStartValue, reason };
}

/** What a context needs of the input (or batch) it belongs to. */
export interface ContextSource {
  readonly head: InputHead;
  readonly source: LogSource;
  readonly log: ScopeLog;
  readonly signal: AbortSignal;
  requestBody(): Uint8Array | ReceiveQueue | null;
}

/** What handlers get. Everything that costs something is made when it is first asked for. */
export class InputContext {
  readonly #run: ContextSource;
  readonly #facts: WorkerFacts;
  #log: UserLog | undefined;
  #request: Request | undefined;

  constructor(run: ContextSource, facts: WorkerFacts) {
    this.#run = run;
    this.#facts = facts;
  }

  get containerId(): string {
    return this.#facts.containerId;
  }

  get workerIndex(): number {
    return this.#facts.workerIndex;
  }

  get functionId(): string {
    return this.#facts.load.functionId;
  }

  get functionKind(): FunctionKind {
    return this.#facts.load.functionKind;
  }

  get deployment(): string {
    return this.#facts.load.deployment;
  }

  get version(): number {
    return this.#facts.load.version;
  }

  get runtimeVersion(): string {
    return this.#facts.runtimeVersion;
  }

  get env(): Readonly<Record<string, string | undefined>> {
    return this.#facts.env;
  }

  get onStartValue(): unknown {
    return this.#facts.onStartValue;
  }

  get onDeployValue(): unknown {
    return this.#facts.load.onDeployValue;
  }

  get taskId(): string {
    return this.#run.head.taskId;
  }

  get attempt(): number {
    return this.#run.head.attempt;
  }

  get callbackUrl(): string | null {
    // A call answers its caller, and nobody else is told of it.
    return this.#run.head.durable ? this.#facts.load.callbackUrl : null;
  }

  /** Seconds; null without one. */
  get timeout(): number | null {
    const { timeoutMs } = this.#run.head;
    return timeoutMs === null ? null : timeoutMs / 1_000;
  }

  get deadline(): Date | null {
    const { deadlineMs } = this.#run.head;
    return deadlineMs === null ? null : new Date(deadlineMs);
  }

  get signal(): AbortSignal {
    return this.#run.signal;
  }

  get log(): UserLog {
    return (this.#log ??= new UserLog(this.#run.log, this.#run.source));
  }

  /** The caller's request; undefined when the call came from a handle. */
  get request(): Request | undefined {
    const head: RequestHead | undefined = this.#run.head.request;
    if (!head) return undefined;
    return (this.#request ??= toWebRequest(head, this.#run.requestBody(), this.#run.signal));
  }
}
