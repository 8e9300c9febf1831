import { SamovarError, type FunctionInfo, type FunctionOptions, type HeldInput, type ScalingPatch, type StopReason } from "@samovar/protocol";
import { retryDelayMs } from "@samovar/kit";
import { Attempt } from "./attempt.ts";
import type { Container } from "./container.ts";
import type { LeftContainer } from "./container-types.ts";
import { Deadlines } from "./deadlines.ts";
import { Fleet, type FleetClient } from "./fleet.ts";
import { toCallRecord } from "./call-record.ts";
import type { InputFailure, InputRequest, InputSink, InputTicket } from "./input.ts";
import { failureOf, type AttemptFailure } from "./input-failure.ts";
import type { InputSource, SourcedInput } from "./input-source.ts";
import { toInputHead, toStartedInfo } from "./input-head.ts";
import { PoolTicket, createPoolInput, toOrphan } from "./pool-input.ts";
import type { FloorPolicy, PoolInput, PoolServices, PoolSpec } from "./pool-types.ts";
import type { Worker } from "./worker.ts";
import type { WorkerPeer } from "./worker-peer.ts";

/** How long a handler may take to settle after its signal fired, before its worker is replaced. */
const SETTLE_MS = 2_000;

/**
 * The inputs of one function in one version (and, for a class, one set of constructor arguments): its queue, who runs
 * what, timeouts, retries. Its containers are its fleet's. Everything that happens is a method call (an input, an
 * answer, room), after which it gives out what it can.
 *
 * An input waits in the queue, runs as an attempt on a worker, and is over when its sink was answered; a retry puts it
 * back in the queue. `closed` pools take none.
 */
export class Pool implements FleetClient {
  readonly spec: PoolSpec;
  readonly #services: PoolServices;
  readonly #deadlines: Deadlines;
  readonly #fleet: Fleet;
  #queue: PoolInput[] = [];
  /** Where tasks come from. */
  readonly #sources = new Set<InputSource>();
  /** Inputs that wait for the moment of their next attempt. */
  readonly #delayed = new Set<PoolInput>();
  #runningCount = 0;
  #useCounter = 0;
  #closed: StopReason | null = null;

  constructor(spec: PoolSpec, services: PoolServices) {
    this.spec = spec;
    this.#services = services;
    this.#deadlines = new Deadlines(services.host.clock);
    this.#fleet = new Fleet(spec, services, this.#deadlines, this);
    this.#fleet.reconcile();
  }

  get #options(): FunctionOptions {
    return this.spec.manifest.options;
  }

  get containers(): ReadonlySet<Container> {
    return this.#fleet.containers;
  }

  /** Inputs that wait, those of its source included. */
  get queued(): number {
    let queued = this.#queue.length;
    for (const source of this.#sources) queued += source.waiting;
    return queued;
  }

  get expectsMore(): boolean {
    for (const source of this.#sources) if (source.expectsMore) return true;
    return false;
  }

  /** Callers wait here, who go with the pool. */
  get holdsInputs(): boolean {
    return this.#queue.length > 0;
  }

  /** Containers that take inputs, all workers of them. */
  get readyContainers(): number {
    return this.#fleet.readyCount;
  }

  get isShortOfRoom(): boolean {
    return this.#fleet.isShortOfRoom;
  }

  /** Those of them that hold an input. */
  get busyContainers(): number {
    return this.#fleet.busyCount;
  }

  /**
   * Brings up at least `count` containers (at most the ceiling), whether inputs want them or not, and resolves when so
   * many were ready at the same time. Rejects with `start_failed` at the first start that fails, with `no_capacity` when
   * nothing could be started within `startupTimeout`, with `shutting_down` when the pool closes, or with the signal's
   * reason.
   */
  warmUp(count: number, signal: AbortSignal): Promise<void> {
    return this.#fleet.warmUp(count, signal);
  }

  /** What it scales by from now on; what is absent stays. Throws `invalid_option` for a floor above the ceiling. */
  scale(patch: ScalingPatch): void {
    this.#fleet.scale(patch);
  }

  /** Whether `minContainers` holds: a version that is active no longer has no floor. */
  setFloor(policy: FloorPolicy): void {
    this.#fleet.setFloor(policy);
  }

  /** Since when the input waits that is next. */
  get waitsSinceMs(): number {
    const own = this.#queue[0]?.waitsSinceMs ?? Infinity;
    const sourced = this.#sourced?.waitsSinceMs ?? Infinity;
    return Math.min(own, sourced);
  }

  /** The source whose next input waits longest; null where nothing waits in any, or nothing may be taken yet. */
  get #sourced(): InputSource | null {
    if (this.#fleet.taskHold.isOn) return null;
    let first: InputSource | null = null;
    for (const source of this.#sources) if (source.waiting > 0 && (!first || source.waitsSinceMs < first.waitsSinceMs)) first = source;
    return first;
  }

  /** One that an earlier server started for it is awaited. */
  takeBack(left: LeftContainer): void {
    this.#fleet.takeBack(left);
  }

  // --- inputs come

  submit(request: InputRequest, sink: InputSink): InputTicket {
    const input = createPoolInput(this, { request, sink, attempts: 0, isTask: false, released: null }, this.#services.host.clock);
    this.#enqueue(input);
    return new PoolTicket(input);
  }

  // --- or are taken from a source

  /** From now on it takes what this source has, until it closes. */
  attach(source: InputSource): void {
    if (this.#closed) source.detached();
    else this.#sources.add(source);
  }

  /** The source goes elsewhere: what was taken from it goes on. */
  detach(source: InputSource): void {
    this.#sources.delete(source);
    this.#fleet.reconcile();
  }

  /** Something waits in its source, or no longer does. */
  sourceChanged(): void {
    if (this.#sourced) return this.#pump();
    this.#fleet.reconcile();
    this.#fleet.room.idleChanged();
  }

  #take(sourced: SourcedInput, worker: Worker): void {
    const { request, sink, attempt } = sourced;
    const input = createPoolInput(this, { request, sink, attempts: attempt - 1, isTask: true, released: () => sourced.released() }, this.#services.host.clock);
    sourced.given(new PoolTicket(input));
    this.#fleet.used();
    this.#give(input, worker);
  }

  #enqueue(input: PoolInput): void {
    if (this.#closed) return this.#answer(input, new SamovarError("shutting_down", `${this.spec.load.functionName} is stopping (${this.#closed}); call again`));
    if (this.#fleet.isFailing) return this.#answer(input, this.#fleet.startError()!);
    this.#fleet.used();
    // What waits in the source was there before.
    if (this.#queue.length === 0 && !this.#sourced) {
      const worker = this.#fleet.pickWorker();
      if (worker) {
        this.#give(input, worker);
        // A slot may be free while the target is passed: then another container is wanted already.
        return this.#fleet.reconcile();
      }
    }
    const { maxPendingTasks, queueTimeoutMs } = this.#options;
    if (maxPendingTasks !== null && this.#queue.length >= maxPendingTasks) {
      return this.#answer(
        input,
        new SamovarError(
          "too_many_pending",
          `${this.#queue.length} inputs of ${this.spec.load.functionName} are waiting already (maxPendingTasks); try again in a moment`,
        ),
      );
    }
    this.#queue.push(input);
    input.deadline = this.#deadlines.add(input.waitsSinceMs + queueTimeoutMs, () => this.#onQueueTimeout(input));
    if (this.#sourced) this.#pump();
    else this.#fleet.reconcile();
  }

  #onQueueTimeout(input: PoolInput): void {
    const { queueTimeoutMs, startupTimeoutMs } = this.#options;
    // By default both limits are the same: the start that fails in a moment can say why, this could not.
    if (this.#fleet.isStarting && queueTimeoutMs >= startupTimeoutMs) {
      input.overdue = true;
      return;
    }
    // Told as it was while this one still waited.
    const failure = this.#fleet.startError() ?? this.#noCapacity(input);
    this.#queue = this.#queue.filter((waiting) => waiting !== input);
    this.#answer(input, failure);
    this.#fleet.reconcile();
  }

  #noCapacity(input: PoolInput): SamovarError {
    const reason = this.#fleet.waitReason ?? "all slots were taken";
    return new SamovarError(
      "no_capacity",
      `No container of ${this.spec.load.functionName} had room within ${this.#options.queueTimeoutMs / 1_000} s (queueTimeout): ${reason}`,
      { fields: { reason, waitedMs: Math.round(this.#services.host.clock.monotonic() - input.waitsSinceMs), queued: this.#queue.length } },
    );
  }

  #give(input: PoolInput, worker: Worker): void {
    const { clock } = this.#services.host;
    const nowMs = clock.monotonic();
    const attempt = this.#begin(input, worker, nowMs);
    const { request } = input;
    input.sink?.started(toStartedInfo(worker.container, input, nowMs));
    attempt.stream = worker.peer!.open(toInputHead(input, this.spec.manifest.kind, clock.now()), request.body, request.bodyStream, attempt);
    if (this.#fleet.inputLimit() !== null && worker.taken >= this.#fleet.inputLimit()!) this.#retireAfterLast(worker);
  }

  /** It is in this worker's hands, since then. */
  #begin(input: PoolInput, worker: Worker, sinceMs: number): Attempt {
    this.#deadlines.delete(input.deadline);
    input.deadline = null;
    const attempt = new Attempt(this, input, worker, sinceMs);
    input.attempt = attempt;
    input.attempts++;
    worker.held.add(attempt);
    worker.taken++;
    worker.container.lastUsed = ++this.#useCounter;
    this.#runningCount++;
    if (input.timeoutMs !== null) attempt.deadline = this.#deadlines.add(sinceMs + input.timeoutMs, () => this.#onTimeout(attempt));
    return attempt;
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
    this.#fleet.used();
    if (ok) this.#fleet.measured(this.#services.host.clock.monotonic() - attempt.startedAtMs);
    if (container.state !== "ready") container.checkDrained();
    else if (worker.state === "retiring") container.checkDrained();
    else if (container.heldCount === 0) container.idleSinceMs = this.#services.host.clock.now();
    if (this.#fleet.room.isWanted) this.#fleet.room.inputEnded(container);
    if (this.queued > 0) this.#pump();
    else this.#fleet.watchIdle();
  }

  /** The input is over: returns the sink that is owed the answer, once. */
  finish(input: PoolInput, failure: InputFailure | null): InputSink | null {
    if (input.over) return null;
    input.over = true;
    const sink = input.sink;
    input.sink = null;
    if (!input.isTask) this.#services.callEnded(toCallRecord(this.spec, input, failure, this.#services.host.clock.monotonic()));
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
    this.#fail(input, failureOf(failure, attempt, this.spec.load.functionName));
  }

  /** Retries follow the function's policy; what was ours (a drain) is not counted. False: the failure stands. */
  #tryAgain(attempt: Attempt, failure: AttemptFailure): boolean {
    const input = attempt.input;
    const policy = this.#options.retries;
    const repeatable = input.request.retries && !attempt.headSent && input.request.bodyStream === null && policy.maxRetries > 0 && !this.#closed;
    if (!repeatable) return false;
    if (failure.kind === "drained") {
      input.attempts--;
      this.#enqueueAgain(input);
      return true;
    }
    if (failure.kind === "thrown" && !failure.message.retryable) return false;
    if (input.attempts > policy.maxRetries) return false;
    input.attempt = null;
    const delayMs = retryDelayMs(policy, input.attempts, this.#services.random());
    this.#delayed.add(input);
    input.deadline = this.#deadlines.add(this.#services.host.clock.monotonic() + delayMs, () => {
      this.#delayed.delete(input);
      this.#enqueueAgain(input);
    });
    return true;
  }

  /** For another attempt: it waits for a slot anew. */
  #enqueueAgain(input: PoolInput): void {
    input.attempt = null;
    input.overdue = false;
    input.waitsSinceMs = this.#services.host.clock.monotonic();
    this.#enqueue(input);
  }

  #onTimeout(attempt: Attempt): void {
    attempt.deadline = null;
    // First: where it was the last that a drain waited for, abandoning it ends the drain, and it would be given back.
    this.attemptFailed(attempt, { kind: "timeout", timeoutMs: attempt.input.timeoutMs ?? 0 });
    this.#abandon(attempt, "timeout");
  }

  /** The caller left or cancelled (called by its ticket). */
  cancel(input: PoolInput, reason: "disconnected" | "cancelled"): void {
    if (input.over) return;
    if (reason === "disconnected" && input.request.headless) {
      input.sink = null;
      if (input.attempt) {
        this.extendDeadline(input.attempt);
        input.attempt.stream?.resume();
      }
      return;
    }
    const attempt = input.attempt;
    const error = new SamovarError(
      "cancelled",
      `The call of ${this.spec.load.functionName} was ${reason === "cancelled" ? "cancelled" : "given up by its caller"}`,
    );
    const failure: InputFailure = { error, thrown: null, containerId: attempt?.worker.container.id ?? null, attempt: input.attempts };
    const sink = this.finish(input, failure);
    if (attempt && !attempt.settled) this.#abandon(attempt, reason);
    else {
      this.#deadlines.delete(input.deadline);
      this.#delayed.delete(input);
      this.#queue = this.#queue.filter((waiting) => waiting !== input);
      this.#fleet.reconcile();
    }
    sink?.error(failure);
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
    attempt.worker.ping(() => {
      turned = true;
      if (this.queued > 0) this.#pump();
    });
    const { worker } = attempt;
    worker.container.checkDrained();
    this.#deadlines.add(this.#services.host.clock.monotonic() + SETTLE_MS, () => {
      if (attempt.settled) return;
      const why = reason === "timeout" ? "its timeout" : "it was cancelled";
      if (!turned) worker.container.killWorker(worker, `the event loop was blocked ${SETTLE_MS / 1_000} s after ${why}`);
      else worker.container.retireWorker(worker, "replaced");
      this.#fleet.reconcile();
    });
  }

  // --- the fleet tells (FleetClient)

  roomCame(): void {
    this.#pump();
  }

  resumed(worker: Worker, held: readonly HeldInput[], peer: WorkerPeer): readonly number[] {
    return held.map((one) => this.#resume(worker, one, peer));
  }

  /** A task goes on as what it is. Whoever waited for anything else went with the server: it takes up room until it has settled. */
  #resume(worker: Worker, held: HeldInput, peer: WorkerPeer): number {
    const { clock, leftInputs } = this.#services.host;
    const left = leftInputs?.claim({ id: worker.container.id, functionId: this.spec.load.functionId }, held) ?? null;
    const { request, sink, attempt } = left?.input ?? toOrphan(held);
    const input = createPoolInput(this, { request, sink, attempts: attempt - 1, isTask: true, released: left ? () => left.input.released() : null }, clock);
    left?.input.given(new PoolTicket(input));
    const begun = this.#begin(input, worker, clock.monotonic() - (left ? clock.now() - left.startedAtMs : 0));
    const [stream, control] = peer.resume(begun);
    begun.stream = control;
    if (left) return stream;
    input.over = true;
    // A task that nobody waits for any more was cancelled, or is over; callers of other inputs went with their server.
    if (held.resumable || !this.#options.headless) this.#abandon(begun, held.resumable ? "cancelled" : "disconnected");
    return stream;
  }

  startFailed(): void {
    const waiting = this.#queue.filter((input) => input.overdue || this.#fleet.isFailing);
    this.#queue = this.#queue.filter((input) => !waiting.includes(input));
    for (const input of waiting) this.#answer(input, this.#fleet.startError()!);
    if (this.#fleet.isFailing && this.spec.startPolicy.failsTasks) for (const source of this.#sources) source.startFailed(this.#fleet.startError()!);
  }

  /** Gives out what waits, as long as there is room: whoever waits longest first. */
  #pump(): void {
    while (this.queued > 0) {
      const worker = this.#fleet.pickWorker();
      if (!worker) break;
      const own = this.#queue[0];
      const sourced = this.#sourced;
      if (!own && !sourced) break;
      if (own && (!sourced || own.waitsSinceMs <= sourced.waitsSinceMs)) {
        this.#queue.shift();
        this.#give(own, worker);
        continue;
      }
      const next = sourced?.take();
      if (next) this.#take(next, worker);
    }
    this.#fleet.reconcile();
  }

  // --- the end

  /** Takes no more inputs; what waits is handed to `successor`, or answered. Then as `Fleet.close`. */
  async close(reason: StopReason, drainMs: number | null, successor: Pool | null = null): Promise<void> {
    if (!this.#closed) {
      this.#closed = reason;
      for (const source of this.#sources) source.detached();
      this.#sources.clear();
      const waiting = [...this.#queue, ...this.#delayed];
      this.#queue = [];
      this.#delayed.clear();
      for (const input of waiting) {
        this.#deadlines.delete(input.deadline);
        if (successor) successor.adopt(input);
        else
          this.#answer(
            input,
            new SamovarError("shutting_down", `${this.spec.load.functionName} was stopped (${reason}) before a container took the input; call again`),
          );
      }
    }
    await this.#fleet.close(reason, drainMs);
    this.#deadlines.dispose();
  }

  /** Takes over an input that waited at a pool that closed. */
  adopt(input: PoolInput): void {
    input.pool = this;
    input.deadline = null;
    this.#enqueue(input);
  }

  info(): Pick<FunctionInfo, "state" | "reason" | "containers" | "pending" | "running"> {
    return { ...this.#fleet.info(), pending: this.#queue.length, running: this.#runningCount };
  }

  #answer(input: PoolInput, error: SamovarError): void {
    this.#deadlines.delete(input.deadline);
    this.#fail(input, { error, thrown: null, containerId: null, attempt: input.attempts });
  }

  #fail(input: PoolInput, failure: InputFailure): void {
    this.finish(input, failure)?.error(failure);
  }
}
