import {
  SamovarError,
  type ContainerId,
  type FunctionInfo,
  type FunctionManifest,
  type FunctionOptions,
  type InputHead,
  type LoadMessage,
  type PoolState,
  type StopReason,
} from "@samovar/protocol";
import { retryDelayMs } from "@samovar/kit";
import type { CodeMount } from "@samovar/runtime";
import { Attempt } from "./attempt.ts";
import { Container, type ContainerHost, type ContainerOwner, type StartFailure } from "./container.ts";
import { Deadlines, type Deadline } from "./deadlines.ts";
import { desiredContainers } from "./decisions/desired-containers.ts";
import { isPreferred } from "./decisions/pick-container.ts";
import { decideScaleDown } from "./decisions/scale-down.ts";
import { startBackoffMs } from "./decisions/start-backoff.ts";
import { startsNow } from "./decisions/starts-now.ts";
import type { InputRequest, InputSink, InputTicket } from "./input.ts";
import { failureOf, type AttemptFailure } from "./input-failure.ts";
import type { Worker } from "./worker.ts";

/** What a pool is made of: one function in one version with one set of constructor arguments. */
export interface PoolSpec {
  readonly manifest: FunctionManifest;
  readonly code: CodeMount;
  readonly load: Omit<LoadMessage, "mode" | "bundlePath">;
  /** Ceiling where the function sets none: what the host can hold of it. */
  readonly hostCeiling: number;
  readonly startPolicy: StartPolicy;
}

export interface StartPolicy {
  /** After so many failed starts in a row, inputs are answered at once. */
  readonly failuresUntilFailing: number;
  /** Whether it tries again by itself. `run` and `serve` don't: they end, or wait for an edit. */
  readonly retries: boolean;
}

export interface PoolServices {
  readonly host: ContainerHost;
  readonly newContainerId: () => ContainerId;
  readonly random: () => number;
}

/** An input and where it stands: waiting (no attempt), running (an attempt), or over (no sink). */
export interface PoolInput {
  readonly request: InputRequest;
  readonly timeoutMs: number | null;
  readonly arrivedAtMs: number;
  readonly arrivedEpochMs: number;
  sink: InputSink | null;
  attempt: Attempt | null;
  /** Attempts that count against the retries. */
  attempts: number;
  deadline: Deadline | null;
  /** It waited for as long as it may, while the start that it waits for is at its own limit: the start answers it. */
  overdue: boolean;
  over: boolean;
}

/** How long a handler may take to settle after its signal fired, before its worker is replaced. */
const SETTLE_MS = 2_000;
const MEAN_WEIGHT = 0.2;

/**
 * All containers of one function in one version: the one owner of its queue, its slots and its containers. Everything
 * that happens to it is a method call (an input, an answer, a container's event), after each of which it gives out
 * what it can (`#pump`) and corrects how many containers there are (`#reconcile`). Decisions are the pure functions
 * in `decisions/`; time comes from the host's clock.
 *
 * Its states, as `info()` tells them: `idle` (no containers) ↔ `starting` (none ready yet) → `ready`; `failing` after
 * repeated failed starts, until one succeeds; `stopped` after `close`.
 */
export class Pool implements ContainerOwner {
  readonly spec: PoolSpec;
  readonly #services: PoolServices;
  readonly #deadlines: Deadlines;
  readonly #containers = new Set<Container>();
  #queue: PoolInput[] = [];
  #runningCount = 0;
  #useCounter = 0;
  #lastUsedMs = -Infinity;
  #closed: StopReason | null = null;
  #failures = 0;
  #lastFailure: StartFailure | null = null;
  #notBeforeMs = 0;
  #retryDeadline: Deadline | null = null;
  #idleDeadline: Deadline | null = null;
  #meanDurationMs: number | null = null;
  #meanStartMs: number | null = null;
  #whenEmpty: (() => void)[] = [];

  constructor(spec: PoolSpec, services: PoolServices) {
    this.spec = spec;
    this.#services = services;
    this.#deadlines = new Deadlines(services.host.clock);
    this.#reconcile();
  }

  get #options(): FunctionOptions {
    return this.spec.manifest.options;
  }

  get isFailing(): boolean {
    return this.#failures >= this.spec.startPolicy.failuresUntilFailing;
  }

  get containers(): ReadonlySet<Container> {
    return this.#containers;
  }

  get pendingCount(): number {
    return this.#queue.length;
  }

  get runningCount(): number {
    return this.#runningCount;
  }

  // --- inputs come

  submit(request: InputRequest, sink: InputSink): InputTicket {
    const { clock } = this.#services.host;
    const method = request.method === null ? undefined : this.spec.manifest.methods[request.method];
    const input: PoolInput = {
      request,
      timeoutMs: method?.timeoutMs !== undefined ? method.timeoutMs : this.#options.timeoutMs,
      arrivedAtMs: clock.monotonic(),
      arrivedEpochMs: clock.now(),
      sink,
      attempt: null,
      attempts: 0,
      deadline: null,
      overdue: false,
      over: false,
    };
    this.#enqueue(input);
    return {
      cancel: (reason) => this.#cancel(input, reason),
      resume: () => {
        if (!input.attempt) return;
        this.extendDeadline(input.attempt);
        input.attempt.stream?.resume();
      },
    };
  }

  #enqueue(input: PoolInput): void {
    if (this.#closed) return this.#answer(input, new SamovarError("shutting_down", `${this.spec.load.functionName} is stopping (${this.#closed}); call again`));
    if (this.isFailing) return this.#answer(input, this.#startError());
    this.#lastUsedMs = this.#services.host.clock.monotonic();
    if (this.#queue.length === 0) {
      const worker = this.#pickWorker();
      if (worker) {
        this.#give(input, worker);
        // A slot may be free while the target is passed: then another container is wanted already.
        return this.#reconcile();
      }
    }
    const { maxPendingTasks, queueTimeoutMs } = this.#options;
    if (this.#queue.length >= maxPendingTasks) {
      return this.#answer(input, new SamovarError("too_many_pending", `${this.#queue.length} inputs of ${this.spec.load.functionName} are waiting already (maxPendingTasks); try again in a moment`));
    }
    this.#queue.push(input);
    input.deadline = this.#deadlines.add(input.arrivedAtMs + queueTimeoutMs, () => this.#onQueueTimeout(input));
    this.#reconcile();
  }

  #onQueueTimeout(input: PoolInput): void {
    const { queueTimeoutMs, startupTimeoutMs } = this.#options;
    const { starting, ready } = this.#counts();
    // By default both limits are the same: the start that fails in a moment can say why, this could not.
    if (ready === 0 && starting > 0 && queueTimeoutMs >= startupTimeoutMs) {
      input.overdue = true;
      return;
    }
    this.#queue = this.#queue.filter((waiting) => waiting !== input);
    const error = this.#lastFailure ? this.#startError() : new SamovarError("no_capacity", `No container of ${this.spec.load.functionName} had room within ${queueTimeoutMs / 1_000} s (queueTimeout)`);
    this.#answer(input, error);
    this.#reconcile();
  }

  #pickWorker(): Worker | undefined {
    let picked: Container | undefined;
    for (const container of this.#containers) {
      if (!container.isActive) continue;
      let free = 0;
      for (const worker of container.workers) free += this.#freeSlots(worker);
      if (isPreferred(free, container.lastUsed, picked?.lastUsed ?? -1)) picked = container;
    }
    let best: Worker | undefined;
    for (const worker of picked?.workers ?? []) {
      if (this.#freeSlots(worker) > 0 && (!best || worker.held.size < best.held.size)) best = worker;
    }
    return best;
  }

  #freeSlots(worker: Worker): number {
    if (worker.state !== "ready" || !worker.peer) return 0;
    const limit = this.#inputLimit();
    const slots = this.#options.concurrencyMax - worker.held.size;
    return limit === null ? slots : Math.min(slots, limit - worker.taken);
  }

  /** Inputs after which a worker ends. A container for one input has one worker's one input. */
  #inputLimit(): number | null {
    return this.#options.singleUse ? 1 : this.#options.maxInputsPerWorker;
  }

  #give(input: PoolInput, worker: Worker): void {
    const { clock } = this.#services.host;
    const container = worker.container;
    const nowMs = clock.monotonic();
    this.#deadlines.delete(input.deadline);
    input.deadline = null;
    const attempt = new Attempt(this, input, worker, nowMs);
    input.attempt = attempt;
    input.attempts++;
    worker.held.add(attempt);
    worker.taken++;
    container.lastUsed = ++this.#useCounter;
    this.#runningCount++;
    const { request, timeoutMs } = input;
    if (timeoutMs !== null) attempt.deadline = this.#deadlines.add(nowMs + timeoutMs, () => this.#onTimeout(attempt));
    const head: InputHead = {
      taskId: request.taskId,
      attempt: input.attempts,
      ...(request.method === null ? {} : { method: request.method }),
      encoding: request.encoding,
      reply: request.reply,
      stream: request.stream,
      timeoutMs,
      deadlineMs: timeoutMs === null ? null : clock.now() + timeoutMs,
      ...(request.request ? { request: request.request } : {}),
    };
    const coldStart = container.readyAtMs === null || container.readyAtMs >= input.arrivedEpochMs;
    input.sink?.started({ containerId: container.id, coldStart, queuedMs: nowMs - input.arrivedAtMs, phases: coldStart ? startPhases(container) : [] });
    attempt.stream = worker.peer!.open(head, request.body, request.bodyStream, attempt);
    if (this.#inputLimit() !== null && worker.taken >= this.#inputLimit()!) this.#retireAfterLast(worker);
  }

  /** Its last input was given: the worker ends when that is done. */
  #retireAfterLast(worker: Worker): void {
    const container = worker.container;
    if (this.#options.singleUse || container.workers.length === 1) container.drain(this.#options.singleUse ? "single-use" : "max-inputs", null);
    else container.retireWorker(worker, "max-inputs");
  }

  // --- answers come (called by Attempt)

  /** The handler is over, one way or another: its slot is free. */
  settle(attempt: Attempt, ok: boolean): void {
    if (attempt.settled) return;
    attempt.settled = true;
    this.#deadlines.delete(attempt.deadline);
    const { worker } = attempt;
    const container = worker.container;
    worker.held.delete(attempt);
    this.#runningCount--;
    if (ok) container.inputs.done++;
    else container.inputs.failed++;
    const nowMs = this.#services.host.clock.monotonic();
    this.#lastUsedMs = nowMs;
    if (ok) this.#meanDurationMs = mean(this.#meanDurationMs, nowMs - attempt.startedAtMs);
    if (container.state !== "ready") container.checkDrained();
    else if (worker.state === "retiring") container.checkDrained();
    else if (container.heldCount === 0) container.idleSinceMs = this.#services.host.clock.now();
    if (this.#queue.length > 0) this.#pump();
    else this.#watchIdle();
  }

  /** The input is over: returns the sink that is owed the answer, once. */
  finish(input: PoolInput): InputSink | null {
    if (input.over) return null;
    input.over = true;
    const sink = input.sink;
    input.sink = null;
    return sink;
  }

  /** Between items of a stream the timeout begins anew. */
  extendDeadline(attempt: Attempt): void {
    if (attempt.input.timeoutMs === null || attempt.settled) return;
    const dueAtMs = this.#services.host.clock.monotonic() + attempt.input.timeoutMs;
    if (attempt.deadline) this.#deadlines.move(attempt.deadline, dueAtMs);
    else attempt.deadline = this.#deadlines.add(dueAtMs, () => this.#onTimeout(attempt));
  }

  suspendDeadline(attempt: Attempt): void {
    this.#deadlines.delete(attempt.deadline);
    attempt.deadline = null;
  }

  attemptFailed(attempt: Attempt, failure: AttemptFailure): void {
    const input = attempt.input;
    if (input.over) return;
    if (this.#tryAgain(attempt, failure)) return;
    this.finish(input)?.error(failureOf(failure, attempt, this.spec.load.functionName));
  }

  /** Retries follow the function's policy; what was ours (a drain) is not counted. False: the failure stands. */
  #tryAgain(attempt: Attempt, failure: AttemptFailure): boolean {
    const input = attempt.input;
    const policy = this.#options.retries;
    const repeatable = input.request.retries && !attempt.headSent && input.request.bodyStream === null && policy.maxRetries > 0 && !this.#closed;
    if (!repeatable) return false;
    if (failure.kind === "drained") {
      input.attempts--;
      input.attempt = null;
      this.#enqueue(input);
      return true;
    }
    if (failure.kind === "thrown" && !failure.message.retryable) return false;
    if (input.attempts > policy.maxRetries) return false;
    input.attempt = null;
    const delayMs = retryDelayMs(policy, input.attempts, this.#services.random());
    input.deadline = this.#deadlines.add(this.#services.host.clock.monotonic() + delayMs, () => this.#enqueue(input));
    return true;
  }

  #onTimeout(attempt: Attempt): void {
    attempt.deadline = null;
    this.#abandon(attempt, "timeout");
    this.attemptFailed(attempt, { kind: "timeout", timeoutMs: attempt.input.timeoutMs ?? 0 });
  }

  #cancel(input: PoolInput, reason: "disconnected" | "cancelled"): void {
    if (input.over) return;
    if (reason === "disconnected" && input.request.headless) {
      input.sink = null;
      if (input.attempt) {
        this.extendDeadline(input.attempt);
        input.attempt.stream?.resume();
      }
      return;
    }
    const sink = this.finish(input);
    const attempt = input.attempt;
    if (attempt && !attempt.settled) this.#abandon(attempt, reason);
    else {
      this.#deadlines.delete(input.deadline);
      this.#queue = this.#queue.filter((waiting) => waiting !== input);
      this.#reconcile();
    }
    sink?.error({ error: new SamovarError("cancelled", `The call of ${this.spec.load.functionName} was ${reason === "cancelled" ? "cancelled" : "given up by its caller"}`), thrown: null, containerId: attempt?.worker.container.id ?? null, attempt: input.attempts });
  }

  /**
   * Nobody waits for this attempt any more: its signal fires. A handler that has not settled soon after is stuck, and
   * its worker is replaced; one whose event loop does not even turn is killed.
   */
  #abandon(attempt: Attempt, reason: "timeout" | "cancelled" | "disconnected"): void {
    this.#deadlines.delete(attempt.deadline);
    attempt.stuck = true;
    attempt.stream?.cancel(reason);
    // A reader that left must not keep its stream's handler suspended.
    attempt.stream?.resume();
    let turned = false;
    attempt.worker.ping(() => (turned = true));
    const { worker } = attempt;
    worker.container.checkDrained();
    this.#deadlines.add(this.#services.host.clock.monotonic() + SETTLE_MS, () => {
      if (attempt.settled) return;
      const why = reason === "timeout" ? "its timeout" : "it was cancelled";
      if (!turned) worker.container.killWorker(worker, `the event loop was blocked ${SETTLE_MS / 1_000} s after ${why}`);
      else worker.container.retireWorker(worker, "replaced");
      this.#reconcile();
    });
  }

  // --- containers tell (ContainerOwner)

  workerReady(_container: Container): void {
    this.#failures = 0;
    this.#lastFailure = null;
    this.#notBeforeMs = 0;
    this.#pump();
  }

  becameReady(container: Container): void {
    this.#meanStartMs = mean(this.#meanStartMs, (container.readyAtMs ?? 0) - container.startedAtMs);
    this.#watchIdle();
    this.#reconcile();
  }

  retired(_container: Container): void {
    queueMicrotask(() => this.#reconcile());
  }

  hooksDone(): void {
    // A container that serves runs no build or deploy hooks.
  }

  ended(container: Container, failure: StartFailure | null): void {
    this.#containers.delete(container);
    if (failure) this.#startFailed(failure);
    this.#reconcile();
    if (this.#containers.size === 0) {
      for (const wake of this.#whenEmpty) wake();
      this.#whenEmpty = [];
    }
  }

  #startFailed(failure: StartFailure): void {
    const { clock } = this.#services.host;
    this.#failures++;
    this.#lastFailure = failure;
    const delayMs = startBackoffMs(this.#failures);
    this.#notBeforeMs = clock.monotonic() + delayMs;
    this.#deadlines.delete(this.#retryDeadline);
    if (this.spec.startPolicy.retries) {
      this.#retryDeadline = this.#deadlines.add(this.#notBeforeMs, () => {
        this.#retryDeadline = null;
        // A failing pool has no inputs that would ask for a container: it heals by trying on.
        if (this.isFailing && !this.#closed && this.#containers.size === 0) this.#startContainer();
        else this.#reconcile();
      });
    }
    const waiting = this.#queue.filter((input) => input.overdue || this.isFailing);
    this.#queue = this.#queue.filter((input) => !waiting.includes(input));
    for (const input of waiting) this.#answer(input, this.#startError());
  }

  // --- what follows from it

  /** Gives out what waits, as long as there is room. */
  #pump(): void {
    while (this.#queue.length > 0) {
      const worker = this.#pickWorker();
      if (!worker) break;
      this.#give(this.#queue.shift()!, worker);
    }
    this.#reconcile();
  }

  #reconcile(): void {
    if (this.#closed) return;
    const counts = this.#counts();
    const desired = this.#desired();
    if (desired <= counts.starting + counts.ready) return this.#watchIdle();
    if (this.#failures > 0) {
      // After a failure one container shows whether it is over, when its time has come.
      const mayTry = this.spec.startPolicy.retries && !this.isFailing && counts.starting === 0 && this.#services.host.clock.monotonic() >= this.#notBeforeMs;
      if (mayTry) this.#startContainer();
      return;
    }
    const starts = startsNow({
      desired,
      minContainers: this.#options.minContainers,
      ...counts,
      queued: this.#queue.length,
      slotsPerContainer: this.#options.workers * this.#options.concurrencyMax,
      meanDurationMs: this.#meanDurationMs,
      meanStartMs: this.#meanStartMs,
    });
    for (let i = 0; i < starts; i++) this.#startContainer();
  }

  #desired(): number {
    const { bufferContainers, minContainers, maxContainers, scaledownWindowMs, tasksPerContainer, workers, concurrencyTarget } = this.#options;
    const sinceUseMs = this.#services.host.clock.monotonic() - this.#lastUsedMs;
    // What a container that is on its way out still holds asks for no other.
    let running = 0;
    for (const container of this.#containers) if (container.isActive) running += container.heldCount;
    const busy = this.#queue.length + running > 0;
    return desiredContainers(
      { queued: this.#queue.length, running, active: busy || (scaledownWindowMs !== null ? sinceUseMs < scaledownWindowMs : this.#lastUsedMs > 0) },
      { minContainers, maxContainers: maxContainers ?? Math.max(minContainers, this.spec.hostCeiling), bufferContainers, tasksPerContainer: tasksPerContainer || workers * concurrencyTarget },
    );
  }

  #counts(): { starting: number; ready: number; draining: number } {
    let starting = 0;
    let ready = 0;
    let draining = 0;
    for (const container of this.#containers) {
      if (container.state === "starting") starting++;
      else if (container.state === "ready") ready++;
      else draining++;
    }
    return { starting, ready, draining };
  }

  #startContainer(): void {
    const { host, newContainerId } = this.#services;
    const options = this.#options;
    const container = new Container(host, this, {
      containerId: newContainerId(),
      load: { ...this.spec.load, mode: "serve", bundlePath: "" },
      code: this.spec.code,
      env: options.env,
      limits: { cpuMillis: options.cpuMillis, memoryMib: options.memoryMib, maxProcesses: 1_024, workers: options.workers },
      startupTimeoutMs: options.startupTimeoutMs,
      drainTimeoutMs: options.drainTimeoutMs,
    });
    this.#containers.add(container);
    container.start();
  }

  /** One deadline watches for idle containers; a warm call costs nothing here while it is set. */
  #watchIdle(): void {
    const windowMs = this.#options.scaledownWindowMs;
    if (this.#idleDeadline || windowMs === null || this.#closed || this.#containers.size === 0) return;
    this.#idleDeadline = this.#deadlines.add(this.#services.host.clock.monotonic() + windowMs, () => this.#scaleDown());
  }

  #scaleDown(): void {
    this.#idleDeadline = null;
    if (this.#closed) return;
    const { clock } = this.#services.host;
    const ready = [...this.#containers].filter((container) => container.state === "ready");
    const decision = decideScaleDown({
      nowMs: clock.now(),
      idle: ready.filter((container) => container.heldCount === 0),
      active: this.#counts().starting + ready.length,
      keep: this.#desired(),
      windowMs: this.#options.scaledownWindowMs,
    });
    for (const container of ready) if (decision.stop.includes(container.id)) container.drain("idle", null);
    if (decision.wakeAtMs !== null) {
      this.#idleDeadline = this.#deadlines.add(clock.monotonic() + Math.max(0, decision.wakeAtMs - clock.now()), () => this.#scaleDown());
    }
  }

  // --- the end

  /**
   * Takes no more inputs; what waits is handed to `successor`, or answered. Containers drain for at most `drainMs`
   * (null: as long as their inputs' own timeouts). Resolves when none is left.
   */
  async close(reason: StopReason, drainMs: number | null, successor: Pool | null = null): Promise<void> {
    if (!this.#closed) {
      this.#closed = reason;
      this.#deadlines.delete(this.#retryDeadline);
      this.#deadlines.delete(this.#idleDeadline);
      const waiting = this.#queue;
      this.#queue = [];
      for (const input of waiting) {
        this.#deadlines.delete(input.deadline);
        if (successor) successor.adopt(input);
        else this.#answer(input, new SamovarError("shutting_down", `${this.spec.load.functionName} was stopped (${reason}) before a container took the input; call again`));
      }
    }
    // Where the server decides that it ends, the function says how long its inputs may still take.
    const limitMs = reason === "stop" || reason === "shutdown" ? Math.min(drainMs ?? Infinity, this.#options.drainTimeoutMs) : drainMs;
    for (const container of this.#containers) {
      if (limitMs === 0) container.stop(reason);
      else container.drain(reason, limitMs);
    }
    if (this.#containers.size > 0) await new Promise<void>((wake) => this.#whenEmpty.push(wake));
    this.#deadlines.dispose();
  }

  /** Takes over an input that waited at a pool that closed. */
  adopt(input: PoolInput): void {
    input.deadline = null;
    this.#enqueue(input);
  }

  info(): Pick<FunctionInfo, "state" | "reason" | "containers" | "pending" | "running"> {
    const containers = this.#counts();
    return { state: this.#stateName(containers), reason: this.#reason(containers), containers, pending: this.#queue.length, running: this.#runningCount };
  }

  #stateName(counts: { starting: number; ready: number }): PoolState {
    if (this.#closed) return "stopped";
    if (this.isFailing) return "failing";
    if (counts.ready > 0) return "ready";
    return counts.starting > 0 || this.#failures > 0 ? "starting" : "idle";
  }

  #reason(counts: { starting: number; ready: number }): string | null {
    if (this.#lastFailure) {
      const { phase, hook, error } = this.#lastFailure;
      return `${hook ?? phase}: ${error.message}`;
    }
    if (this.#queue.length === 0) return null;
    if (counts.ready === 0) return "waiting for the first container to start";
    return `all slots of ${counts.ready} containers are taken`;
  }

  #startError(): SamovarError {
    const failure = this.#lastFailure;
    if (!failure) return new SamovarError("start_failed", `${this.spec.load.functionName} can't start`);
    const retryAfterMs = this.spec.startPolicy.retries ? Math.max(0, this.#notBeforeMs - this.#services.host.clock.monotonic()) : undefined;
    return new SamovarError("start_failed", `${this.spec.load.functionName} can't start: ${failure.hook ? `hook ${failure.hook}` : `phase ${failure.phase}`} failed: ${failure.error.message}`, {
      cause: failure.error,
      fields: { phase: failure.phase, hook: failure.hook, lastLines: failure.lastLines, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
    });
  }

  #answer(input: PoolInput, error: SamovarError): void {
    this.#deadlines.delete(input.deadline);
    this.finish(input)?.error({ error, thrown: null, containerId: null, attempt: input.attempts });
  }
}

/** What the start was made of, for `server-timing`. */
function startPhases(container: Container): { name: string; durationMs: number }[] {
  return container.phases
    .filter((p) => p.outcome === "ok" && (p.workerIndex ?? 0) === 0 && (p.phase === "create" || p.phase === "load" || p.phase === "start"))
    .map((p) => ({ name: p.phase, durationMs: p.durationMs }));
}

function mean(before: number | null, value: number): number {
  return before === null ? value : before + (value - before) * MEAN_WEIGHT;
}
