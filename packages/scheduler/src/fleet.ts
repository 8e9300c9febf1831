import {
  SamovarError,
  type ContainerId,
  type FunctionInfo,
  type FunctionOptions,
  type HeldInput,
  type PoolState,
  type ScalingPatch,
  type StopReason,
} from "@samovar/protocol";
import { Container } from "./container.ts";
import type { ContainerOwner, LeftContainer, StartFailure } from "./container-types.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import { beyondCeiling } from "./decisions/beyond-ceiling.ts";
import { desiredContainers } from "./decisions/desired-containers.ts";
import { isPreferredContainer } from "./decisions/preferred-container.ts";
import { EARLY_SHARE, decideScaleDown } from "./decisions/scale-down.ts";
import { toScaling, type Scaling } from "./decisions/scaling.ts";
import { lateAfterMs, startsNow } from "./decisions/starts-now.ts";
import { waitReason } from "./decisions/wait-reason.ts";
import { FleetRoom, type RoomUser } from "./fleet-room.ts";
import { toImpossibleError, type RoomHold } from "./host-capacity.ts";
import { toContainerPlan, type FloorPolicy, type PoolServices, type PoolSpec } from "./pool-types.ts";
import { StartRecord } from "./start-record.ts";
import { TaskHold } from "./task-hold.ts";
import { WarmUps, type WarmUpFleet } from "./warm-ups.ts";
import type { Worker } from "./worker.ts";
import type { WorkerPeer } from "./worker-peer.ts";

/** The pool, as its fleet sees it. */
export interface FleetClient {
  /** Inputs that wait. */
  readonly queued: number;
  /** More come in a moment. */
  readonly expectsMore: boolean;
  /** Since when the first of them does; only where there is one. */
  readonly waitsSinceMs: number;
  /** A worker can take inputs. */
  roomCame(): void;
  /** See `ContainerOwner`. */
  resumed(worker: Worker, held: readonly HeldInput[], peer: WorkerPeer): readonly number[];
  /** Another start failed: those that can't wait any longer are to be answered. */
  startFailed(): void;
}

const MEAN_WEIGHT = 0.2;

/**
 * The containers of one pool: how many there are, which one gets the next input, when they start and go. It owns
 * nothing of the inputs; what it decides by are the pure functions in `decisions/`.
 *
 * `reconcile` is called after whatever may change how many are wanted, and never by time, but for deadlines: an idle
 * container's window, the next try after a failed start, and inputs that wait longer than they should have to.
 */
export class Fleet implements ContainerOwner, WarmUpFleet, RoomUser {
  readonly room: FleetRoom;
  readonly taskHold: TaskHold;
  readonly #spec: PoolSpec;
  readonly #services: PoolServices;
  readonly #deadlines: Deadlines;
  readonly #client: FleetClient;
  readonly #containers = new Set<Container>();
  readonly #starts: StartRecord;
  readonly #warmUps: WarmUps;
  /** The ceiling where the function sets none. */
  readonly #hostCeiling: number;
  #patch: ScalingPatch;
  #scaling: Scaling;
  #floorPolicy: FloorPolicy;
  #lastUsedMs = -Infinity;
  #closed = false;
  #idleDeadline: Deadline | null = null;
  /** Set while fewer start than could: for when the inputs that wait should have been taken. */
  #lateDeadline: Deadline | null = null;
  #meanDurationMs: number | null = null;
  #meanStartMs: number | null = null;
  #whenEmpty: (() => void)[] = [];

  constructor(spec: PoolSpec, services: PoolServices, deadlines: Deadlines, client: FleetClient) {
    this.#spec = spec;
    this.#services = services;
    this.#deadlines = deadlines;
    this.#client = client;
    this.#starts = new StartRecord(spec, services.host.clock, deadlines);
    this.taskHold = new TaskHold(services.host.clock, deadlines, () => client.roomCame());
    this.#patch = spec.scaling;
    this.#scaling = toScaling(spec.manifest.options, spec.scaling);
    this.#floorPolicy = spec.floor;
    this.#warmUps = new WarmUps(spec.load.functionName, spec.manifest.options.startupTimeoutMs, this, services.host.clock, deadlines);
    const { capacity } = services.host;
    this.#hostCeiling = Math.max(1, capacity.ceiling(this.#options));
    const impossible = capacity.describeImpossible(this.#options);
    if (impossible !== null) this.#starts.refuse(toImpossibleError(spec.load.functionName, impossible));
    this.room = new FleetRoom(this, this.#options, capacity);
  }

  get #options(): FunctionOptions {
    return this.#spec.manifest.options;
  }

  get containers(): ReadonlySet<Container> {
    return this.#containers;
  }

  /** Inputs are answered at once with why: not while others are ready, which go on. */
  get isFailing(): boolean {
    return this.#starts.isFailing && this.readyCount === 0;
  }

  /** Takes inputs, all workers of it. */
  get readyCount(): number {
    return this.counts().ready;
  }

  get busyCount(): number {
    let busy = 0;
    for (const container of this.#containers) if (container.state === "ready" && container.heldCount > 0) busy++;
    return busy;
  }

  /** As many are kept whether work comes or not. */
  get floor(): number {
    return Math.max(this.#floorPolicy === "kept" ? this.#scaling.minContainers : 0, Math.min(this.#warmUps.floor, this.ceiling));
  }

  /** Of the floor, what is kept also where somebody else finds no room. */
  get roomFloor(): number {
    return Math.max(this.#floorPolicy === "kept" ? this.#scaling.minContainers : 0, Math.min(this.#warmUps.waitingFloor, this.ceiling));
  }

  /** Containers that are wanted find no room on the host. */
  get isShortOfRoom(): boolean {
    return this.room.isShort;
  }

  gaveWay(): void {
    this.#warmUps.letGo();
  }

  get ceiling(): number {
    return this.#scaling.maxContainers ?? Math.max(this.#scaling.minContainers, this.#hostCeiling);
  }

  /** Something is starting, or its failed start is about to be told, and nothing is ready yet. */
  get isStarting(): boolean {
    return this.counts().ready === 0 && [...this.containers].some((container) => container.hasOpenStart);
  }

  /** Why the last start failed, as callers are told; undefined when the last one succeeded. */
  startError(): SamovarError | undefined {
    return this.#starts.error();
  }

  /** An input came or ended. */
  used(): void {
    this.#lastUsedMs = this.#services.host.clock.monotonic();
  }

  /** An input took this long. */
  measured(durationMs: number): void {
    this.#meanDurationMs = mean(this.#meanDurationMs, durationMs);
  }

  // --- slots

  /** A worker with a free slot, of the most recently used container; in it the one that holds least. */
  pickWorker(): Worker | undefined {
    let picked: Container | undefined;
    for (const container of this.#containers) {
      if (!container.isActive) continue;
      let free = 0;
      for (const worker of container.workers) free += this.#freeSlots(worker);
      if (isPreferredContainer(free, container.lastUsed, picked?.lastUsed ?? -1)) picked = container;
    }
    let best: Worker | undefined;
    for (const worker of picked?.workers ?? []) {
      if (this.#freeSlots(worker) > 0 && (!best || worker.held.size < best.held.size)) best = worker;
    }
    return best;
  }

  #freeSlots(worker: Worker): number {
    // One that may be blocked is given nothing until it answers, or is replaced.
    if (worker.state !== "ready" || !worker.peer || worker.isSilent) return 0;
    const limit = this.inputLimit();
    const slots = this.#options.concurrencyMax - worker.held.size;
    return limit === null ? slots : Math.min(slots, limit - worker.taken);
  }

  /** Inputs after which a worker ends. A container for one input has one worker's one input. */
  inputLimit(): number | null {
    return this.#options.singleUse ? 1 : this.#options.maxInputsPerWorker;
  }

  // --- containers tell (ContainerOwner)

  workerReady(_container: Container): void {
    this.#starts.succeeded();
    this.#client.roomCame();
  }

  becameReady(container: Container): void {
    this.taskHold.check(this.#containers);
    this.#meanStartMs = mean(this.#meanStartMs, (container.readyAtMs ?? 0) - container.startedAtMs);
    this.#warmUps.check();
    this.watchIdle();
    this.room.idleChanged();
    this.reconcile();
  }

  resumed(worker: Worker, held: readonly HeldInput[], peer: WorkerPeer): readonly number[] {
    return this.#client.resumed(worker, held, peer);
  }

  retired(_container: Container): void {
    queueMicrotask(() => this.reconcile());
  }

  hooksDone(): void {
    // A container that serves runs no build or deploy hooks.
  }

  ended(container: Container, failure: StartFailure | null): void {
    this.#containers.delete(container);
    this.room.ended(container);
    this.taskHold.check(this.#containers);
    if (failure) {
      this.#starts.failed(failure, () => this.reconcile());
      this.#client.startFailed();
      this.#warmUps.failed(this.#starts.error()!);
    }
    this.reconcile();
    if (this.#containers.size > 0) return;
    for (const wake of this.#whenEmpty) wake();
    this.#whenEmpty = [];
    this.#tellUnused();
  }

  // --- how many

  /** Starts what is missing. */
  reconcile(): void {
    if (this.#closed || this.#starts.refusal) return;
    const counts = this.counts();
    const desired = this.#desired(this.#scaling.bufferContainers);
    // A failing pool has no inputs that would ask for a container: it heals by trying on.
    const heals = this.#starts.isFailing && counts.ready === 0;
    if (desired <= counts.starting + counts.ready && !heals) {
      if (this.room.isWaiting) this.room.waitNoMore();
      this.#tellUnused();
      return this.watchIdle();
    }
    if (this.#starts.lastFailure) {
      // After a failure one container shows whether it is over, when its time has come.
      if (this.#starts.mayTry && counts.starting === 0) this.#start(1, 1);
      return;
    }
    const waits = this.#client.queued > 0;
    const waitedMs = waits ? this.#services.host.clock.monotonic() - this.#client.waitsSinceMs : 0;
    const starts = startsNow({
      desired,
      minContainers: this.floor,
      ...counts,
      queued: this.#client.queued,
      waitedMs,
      running: this.#running(),
      tasksPerContainer: this.#scaling.tasksPerContainer,
      bufferContainers: this.#isActive() ? this.#scaling.bufferContainers : 0,
      slotsPerContainer: this.#options.singleUse ? 1 : this.#options.workers * this.#options.concurrencyMax,
      singleUse: this.#options.singleUse,
      meanDurationMs: this.#meanDurationMs,
      meanStartMs: this.#meanStartMs,
    });
    if (waits && starts === 0) this.#watchLate();
    const needed = this.#desired(0) - counts.starting - counts.ready;
    this.#start(starts, Math.max(0, Math.min(starts, needed)));
  }

  #tellUnused(): void {
    if (this.#containers.size === 0 && this.#client.queued === 0) this.#services.poolUnused?.();
  }

  /** None was started because what waits should be taken before it could be ready: whether it was is looked at then. */
  #watchLate(): void {
    if (this.#lateDeadline || this.#meanDurationMs === null || this.#meanStartMs === null) return;
    const nowMs = this.#services.host.clock.monotonic();
    const dueAtMs = Math.max(nowMs + 1, this.#client.waitsSinceMs + lateAfterMs(this.#meanDurationMs, this.#meanStartMs));
    this.#lateDeadline = this.#deadlines.add(dueAtMs, () => {
      this.#lateDeadline = null;
      this.reconcile();
    });
  }

  #start(count: number, needed: number): void {
    if (count > 0) this.room.start(count, needed, (hold) => this.#startContainer(hold));
    else if (this.room.isWaiting) this.room.waitNoMore();
  }

  #desired(bufferContainers: number): number {
    const running = this.#running();
    return desiredContainers(
      { queued: this.#client.queued, running, active: bufferContainers > 0 && (running > 0 || this.#isActive()) },
      { minContainers: this.floor, maxContainers: this.ceiling, bufferContainers, tasksPerContainer: this.#scaling.tasksPerContainer },
    );
  }

  /** What a container that is on its way out still holds asks for no other. */
  #running(): number {
    let running = 0;
    for (const container of this.#containers) if (container.isActive) running += container.heldCount;
    return running;
  }

  /** An input now, or within the window. */
  #isActive(): boolean {
    if (this.#client.queued > 0 || this.#running() > 0) return true;
    const { scaledownWindowMs } = this.#scaling;
    return scaledownWindowMs === null ? this.#lastUsedMs > 0 : this.#services.host.clock.monotonic() - this.#lastUsedMs < scaledownWindowMs;
  }

  counts(): { starting: number; ready: number; draining: number } {
    let starting = 0;
    let ready = 0;
    let draining = 0;
    for (const container of this.#containers) {
      if (container.isComing) starting++;
      else if (container.state === "ready") ready++;
      else draining++;
    }
    return { starting, ready, draining };
  }

  #startContainer(hold: RoomHold): Container {
    const container = new Container(this.#services.host, this, toContainerPlan(this.#spec, this.#services.newContainerId(), hold.gpuIds));
    this.#containers.add(container);
    container.start();
    return container;
  }

  /** One that an earlier server started for this pool is awaited. */
  takeBack(left: LeftContainer): void {
    const container = new Container(this.#services.host, this, toContainerPlan(this.#spec, left.info.id as ContainerId, left.facts.gpus), left);
    this.#containers.add(container);
    this.room.claim(container, left.facts.gpus);
    container.awaitReturn(left);
    // It goes on with that; and of one with a limit it is not known for sure what it was given.
    if (left.info.state === "draining" || this.inputLimit() !== null) container.drain(this.#options.singleUse ? "single-use" : "replaced", null);
    this.taskHold.begin();
  }

  /** One deadline watches for idle containers; a warm call costs nothing here while it is set. */
  watchIdle(): void {
    const windowMs = this.#scaling.scaledownWindowMs;
    if (this.#idleDeadline || windowMs === null || this.#closed || this.#containers.size === 0) return;
    this.#idleDeadline = this.#deadlines.add(this.#services.host.clock.monotonic() + windowMs * EARLY_SHARE, () => this.#scaleDown());
  }

  #scaleDown(): void {
    this.#idleDeadline = null;
    if (this.#closed) return;
    const { clock } = this.#services.host;
    const ready = [...this.#containers].filter((container) => container.state === "ready");
    const decision = decideScaleDown({
      nowMs: clock.now(),
      idle: ready.filter((container) => container.heldCount === 0),
      active: this.counts().starting + ready.length,
      keep: this.#desired(this.#scaling.bufferContainers),
      windowMs: this.#scaling.scaledownWindowMs,
    });
    for (const container of ready) if (decision.stop.includes(container.id)) container.drain("idle", null);
    const nowMs = clock.monotonic();
    // A buffer is kept until the window is over in which nothing was asked: then it is no longer needed.
    const bufferUntilMs =
      this.#scaling.bufferContainers > 0 && this.#scaling.scaledownWindowMs !== null ? this.#lastUsedMs + this.#scaling.scaledownWindowMs : 0;
    const wakeAtMs = decision.wakeAtMs === null ? bufferUntilMs : nowMs + Math.max(0, decision.wakeAtMs - clock.now());
    if (wakeAtMs > nowMs || decision.wakeAtMs !== null) this.#idleDeadline = this.#deadlines.add(wakeAtMs, () => this.#scaleDown());
  }

  // --- asked from outside

  get windowMs(): number | null {
    return this.#scaling.scaledownWindowMs;
  }

  get startingCount(): number {
    return this.counts().starting;
  }

  /** Why it is not serving, or what its inputs wait for; null when nothing waits. */
  get waitReason(): string | null {
    if (this.#starts.reason !== null) return this.#starts.reason;
    const { starting, ready } = this.counts();
    const isHostFull = this.#client.queued > 0 && this.#scaling.maxContainers === null && starting + ready >= this.ceiling;
    const first = [...this.#containers].find((container) => container.state === "starting");
    return waitReason({
      queued: this.#client.queued,
      starting,
      ready,
      returning: [...this.#containers].filter(({ state }) => state === "returning").length,
      startPosition: first?.record.startPosition ?? null,
      maxContainers: this.#scaling.maxContainers,
      room: this.room.isShort || isHostFull ? this.room.describe() : null,
    });
  }

  get queued(): number {
    return this.#client.queued;
  }

  get expectsMore(): boolean {
    return this.#client.expectsMore;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Resolves when so many are ready at the same time (at most the ceiling): see `WarmUps`. */
  async warmUp(count: number, signal: AbortSignal): Promise<void> {
    if (this.#closed) throw new SamovarError("shutting_down", `${this.#spec.load.functionName} is stopping`);
    if (this.#starts.refusal) throw this.#starts.refusal;
    if (this.#starts.lastFailure) this.#starts.forgive();
    await this.#warmUps.wait(count, signal);
  }

  /** Throws `invalid_option`, and changes nothing, for a floor above the ceiling. */
  scale(patch: ScalingPatch): void {
    const merged = { ...this.#patch, ...patch };
    this.#scaling = toScaling(this.#options, merged);
    this.#patch = merged;
    this.rescale();
  }

  setFloor(policy: FloorPolicy): void {
    this.#floorPolicy = policy;
    this.rescale();
  }

  /** How many are wanted changed, not by work. */
  rescale(): void {
    if (this.#closed) return;
    this.#enforceCeiling();
    this.#warmUps.check();
    this.reconcile();
    this.room.idleChanged();
    this.#deadlines.delete(this.#idleDeadline);
    this.#scaleDown();
  }

  /** What is beyond it takes no more inputs. */
  #enforceCeiling(): void {
    const active = [...this.#containers].filter((container) => container.isActive);
    for (const container of beyondCeiling(active, this.ceiling)) container.drain("scale-down", null);
  }

  // --- the end

  /** Containers drain for at most `drainMs` (null: as long as their inputs' own timeouts). Resolves when none is left. */
  async close(reason: StopReason, drainMs: number | null): Promise<void> {
    this.#closed = true;
    this.#starts.dispose();
    this.#warmUps.dispose();
    this.#deadlines.delete(this.#idleDeadline);
    this.#deadlines.delete(this.#lateDeadline);
    this.taskHold.dispose();
    // Where the server decides that it ends, the function says how long its inputs may still take.
    const limitMs = reason === "stop" || reason === "shutdown" ? Math.min(drainMs ?? Infinity, this.#options.drainTimeoutMs) : drainMs;
    for (const container of this.#containers) {
      if (limitMs === 0) container.stop(reason);
      else container.drain(reason, limitMs);
    }
    this.room.leave();
    if (this.#containers.size > 0) await new Promise<void>((wake) => this.#whenEmpty.push(wake));
  }

  info(): Pick<FunctionInfo, "state" | "reason" | "containers"> {
    const containers = this.counts();
    return { state: this.#stateName(containers), reason: this.waitReason, containers };
  }

  #stateName(counts: { starting: number; ready: number }): PoolState {
    if (this.#closed) return "stopped";
    if (this.isFailing) return "failing";
    if (counts.ready > 0) return "ready";
    return counts.starting > 0 || this.#starts.lastFailure !== null ? "starting" : "idle";
  }
}

function mean(before: number | null, value: number): number {
  return before === null ? value : before + (value - before) * MEAN_WEIGHT;
}
