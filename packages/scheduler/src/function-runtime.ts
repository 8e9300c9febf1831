import {
  SamovarError,
  type FunctionId,
  type FunctionInfo,
  type FunctionManifest,
  type LoadMessage,
  type ScalingPatch,
  type StopReason,
} from "@samovar/protocol";
import type { CodeMount } from "@samovar/runtime";
import type { Container } from "./container.ts";
import type { LeftContainer } from "./container-types.ts";
import { toScaling } from "./decisions/scaling.ts";
import type { FunctionEntry } from "./function-table.ts";
import type { InputRequest, InputSink, InputTicket } from "./input.ts";
import { canonicalJson } from "./canonical-json.ts";
import type { InputSource } from "./input-source.ts";
import { Pool } from "./pool.ts";
import type { FloorPolicy, PoolServices, StartPolicy } from "./pool-types.ts";

export interface FunctionSpec {
  readonly functionId: FunctionId;
  /** The public name. */
  readonly name: string;
  readonly app: string;
  readonly version: number;
  readonly manifest: FunctionManifest;
  readonly code: CodeMount;
  /** Code on top of a build made with these constructor arguments, by `canonicalJson` of them. */
  readonly builtCode: ReadonlyMap<string, CodeMount>;
  readonly load: Omit<LoadMessage, "mode" | "bundlePath" | "parameters">;
  readonly session: string | null;
  /** Before its name, in the name of its task queue: of a session, whose tasks end with it. */
  readonly queuePrefix: string;
  readonly development: boolean;
  readonly startPolicy: StartPolicy;
  /**
   * Whether the floor is kept warm from the start on. A `run` may never call the function: there it begins with the first
   * call; and a deployed version's begins when it is activated.
   */
  readonly keepsFloor: boolean;
}

/** The pool of a call without constructor arguments. */
export const DEFAULT_POOL = "[]";
/** Constructor arguments come from callers: each set is a pool of its own, so there is an end to it. */
export const MAX_POOLS = 1_000;

type State = "spare" | "active" | "stopped" | "closed";

/**
 * One function in one version: its pools, one for each set of constructor arguments that was asked for.
 *
 * States: spare (serves who calls it, without a floor) ⇄ active (keeps its floor) by `activate` and `retire`; both →
 * stopped (refuses calls) by `stop`, and back to spare by `restart`; all → closed by `close`.
 */
export class FunctionRuntime implements FunctionEntry {
  readonly spec: FunctionSpec;
  readonly #services: PoolServices;
  readonly #onUse: () => void;
  readonly #pools = new Map<string, Pool>();
  /** Pools that close: their containers drain. */
  readonly #leaving = new Set<Pool>();
  /** For which there was no pool: who came first has the next one that is given up. */
  readonly #refused = new Set<InputSource>();
  #isAdmitting = false;
  #state: State;
  #scaling: ScalingPatch = {};
  #lastUsedAtMs = 0;
  /** How many tasks wait for it. */
  #countTasks: () => number = () => 0;

  constructor(spec: FunctionSpec, services: PoolServices, onUse: () => void) {
    this.spec = spec;
    this.#services = { ...services, poolUnused: () => this.#admitRefused() };
    this.#onUse = onUse;
    this.#state = spec.keepsFloor || spec.session !== null ? "active" : "spare";
    if (spec.keepsFloor) this.#beginFloor();
  }

  get functionId(): FunctionId {
    return this.spec.functionId;
  }

  get name(): string {
    return this.spec.name;
  }

  get app(): string {
    return this.spec.app;
  }

  get version(): number {
    return this.spec.version;
  }

  get manifest(): FunctionManifest {
    return this.spec.manifest;
  }

  /** The base of its task queues: see `TaskQueues`. */
  get queue(): string {
    return this.spec.queuePrefix + this.name.toLowerCase();
  }

  get isStopped(): boolean {
    return this.#state === "stopped" || this.#state === "closed";
  }

  get development(): boolean {
    return this.spec.development;
  }

  get lastUsedAtMs(): number {
    return this.#lastUsedAtMs;
  }

  get containers(): Container[] {
    return [...this.#pools.values(), ...this.#leaving].flatMap((pool) => [...pool.containers]);
  }

  submit(parameters: readonly unknown[], input: InputRequest, sink: InputSink): InputTicket {
    this.#lastUsedAtMs = this.#services.host.clock.now();
    this.#onUse();
    try {
      return this.#pool(parameters).submit(input, sink);
    } catch (error) {
      const known = error instanceof SamovarError ? error : new SamovarError("internal", "The input could not be taken", { cause: error });
      sink.error({ error: known, thrown: null, containerId: null, attempt: 0 });
      return { cancel() {}, resume() {} };
    }
  }

  /**
   * The pool of these constructor arguments (as canonical JSON) takes what the source has, from now on until it closes.
   * Throws as a call would be refused; where that is for want of a pool, the source is woken when there may be one.
   */
  feed(parameters: string, source: InputSource): Pool {
    this.#lastUsedAtMs = this.#services.host.clock.now();
    this.#onUse();
    try {
      const pool = this.#pool(JSON.parse(parameters) as unknown[]);
      this.#refused.delete(source);
      pool.attach(source);
      this.#admitRefused();
      return pool;
    } catch (error) {
      if (error instanceof SamovarError && error.code === "no_capacity") this.#refused.add(source);
      throw error;
    }
  }

  /** The source goes elsewhere, and waits for no pool here. */
  leave(source: InputSource): void {
    this.#refused.delete(source);
  }

  /** One at a time: who was let in calls for the next. */
  #admitRefused(): void {
    if (this.#refused.size === 0 || this.#isAdmitting) return;
    this.#isAdmitting = true;
    // When the turn is over: what is unused now may be about to get its first input.
    queueMicrotask(() => {
      this.#isAdmitting = false;
      if (this.#pools.size >= MAX_POOLS && this.#unusedPool() === null) return;
      for (const source of this.#refused) {
        this.#refused.delete(source);
        // It wakes by itself when something waits in it again.
        if (source.waiting > 0) return source.wake();
      }
    });
  }

  /**
   * A container that an earlier server started for this version is awaited, by the pool of its constructor arguments.
   * False where that pool can't be made.
   */
  takeBack(left: LeftContainer): boolean {
    try {
      this.#pool(left.info.parameters).takeBack(left);
      return true;
    } catch {
      return false;
    }
  }

  /** How many tasks wait for this function, for `info`. */
  countTasksBy(count: () => number): void {
    this.#countTasks = count;
  }

  #pool(parameters: readonly unknown[]): Pool {
    const key = parameters.length === 0 ? DEFAULT_POOL : canonicalJson(parameters);
    const known = this.#pools.get(key);
    if (known) return known;
    if (this.#state === "stopped") throw new SamovarError("stopped", `${this.name} was stopped: start it again with samovar deployment start ${this.name}`);
    if (this.#state === "closed") throw new SamovarError("shutting_down", `${this.name} was stopped; call again`);
    if (this.manifest.requiresParameters && parameters.length === 0) {
      throw new SamovarError("invalid_request", `${this.name} needs constructor arguments: call it through .with(…), or give ?with=[…]`);
    }
    if (parameters.length > 0 && this.manifest.kind !== "cls")
      throw new SamovarError("invalid_request", `${this.name} is not a class: it takes no constructor arguments`);
    if (this.#pools.size >= MAX_POOLS) this.#dropIdlePool();
    const { manifest, load, startPolicy } = this.spec;
    const code = this.spec.builtCode.get(key) ?? this.spec.code;
    const floor = this.#state === "active" ? this.#floorOf(key) : "none";
    const pool = new Pool({ manifest, code, load: { ...load, parameters }, startPolicy, floor, scaling: this.#scaling }, this.#services);
    this.#pools.set(key, pool);
    return pool;
  }

  #dropIdlePool(): void {
    const key = this.#unusedPool();
    if (key === null) throw new SamovarError("no_capacity", `${this.name} has ${MAX_POOLS} sets of constructor arguments in use already`);
    const pool = this.#pools.get(key)!;
    this.#pools.delete(key);
    void pool.close("idle", 0);
  }

  #unusedPool(): string | null {
    for (const [key, pool] of this.#pools) if (pool.containers.size === 0 && pool.queued === 0 && !pool.expectsMore) return key;
    return null;
  }

  /** Where anybody may call, anybody may name arguments: they keep no containers that nobody uses, but for those that its author named. */
  #floorOf(key: string): FloorPolicy {
    const { options, builds } = this.manifest;
    return options.authorized || key === DEFAULT_POOL || builds.some((parameters) => canonicalJson(parameters) === key) ? "kept" : "none";
  }

  /** The pool that is kept warm although nobody called yet. */
  #beginFloor(): void {
    const { minContainers } = { ...this.manifest.options, ...this.#scaling };
    if (minContainers > 0 && !this.manifest.requiresParameters) this.#pool([]);
  }

  // --- as a version among others

  /** From now on it keeps its floor, with what was scaled since its deploy. */
  activate(scaling: ScalingPatch): void {
    if (this.#state === "closed") return;
    this.#state = "active";
    this.#scaling = scaling;
    for (const [key, pool] of this.#pools) {
      pool.scale(scaling);
      pool.setFloor(this.#floorOf(key));
    }
    this.#beginFloor();
  }

  /**
   * Another version takes its calls: containers drain, and what waits goes to the successor, with the same arguments. It
   * serves on whoever calls it as `@n`. Resolves when the containers are gone.
   */
  async retire(successor: FunctionRuntime): Promise<void> {
    if (this.#state === "active") this.#state = "spare";
    await this.#closePools("new-version", null, successor);
  }

  /** Containers end, and calls are refused until `restart`. Resolves when the containers are gone. */
  async stop(): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "stopped";
    await this.#closePools("stop", null, null);
  }

  /** Takes calls again; its floor waits for `activate`. */
  restart(): void {
    if (this.#state === "stopped") this.#state = "spare";
  }

  /** Containers that hold inputs, by the constructor arguments of their pool. */
  busy(): ReadonlyMap<string, number> {
    return new Map([...this.#pools].map(([key, pool]) => [key, pool.busyContainers]));
  }

  /** Containers that a pool wants find no room on the host. */
  isShortOfRoom(pool: string): boolean {
    return this.#pools.get(pool)?.isShortOfRoom ?? false;
  }

  /** Resolves when a pool has so many containers ready; rejects with the first failed start. */
  async warmUp(pool: string, count: number, signal: AbortSignal): Promise<void> {
    await this.#pool(JSON.parse(pool) as unknown[]).warmUp(count, signal);
  }

  // --- scaling

  /** Throws `invalid_option` for a floor above the ceiling. */
  assertScaling(scaling: ScalingPatch): void {
    toScaling(this.manifest.options, scaling);
  }

  /** Changes live pools, and those that come: what is absent stays as it is. Throws as `assertScaling` does. */
  scale(patch: ScalingPatch): FunctionInfo {
    const scaling = { ...this.#scaling, ...patch };
    this.assertScaling(scaling);
    this.#scaling = scaling;
    for (const pool of this.#pools.values()) pool.scale(patch);
    if (this.#state === "active") this.#beginFloor();
    return this.info();
  }

  // --- the end

  /** Containers drain and end; what waits goes to the successor, with the same arguments. */
  async close(reason: StopReason, drainMs: number | null, successor: FunctionRuntime | null = null): Promise<void> {
    this.#state = "closed";
    await this.#closePools(reason, drainMs, successor);
  }

  async #closePools(reason: StopReason, drainMs: number | null, successor: FunctionRuntime | null): Promise<void> {
    // Those that drain already may be asked to be quicker about it.
    const closing = [...this.#leaving].map((pool) => pool.close(reason, drainMs));
    for (const [key, pool] of this.#pools) {
      this.#leaving.add(pool);
      const closed = pool.close(reason, drainMs, pool.holdsInputs && successor ? successor.#poolByKey(key) : null);
      closing.push(closed.finally(() => this.#leaving.delete(pool)));
    }
    this.#pools.clear();
    this.#admitRefused();
    await Promise.all(closing);
  }

  #poolByKey(key: string): Pool | null {
    try {
      return this.#pool(JSON.parse(key) as unknown[]);
    } catch {
      // The new version takes other arguments: its waiting inputs are answered by the pool that closes.
      return null;
    }
  }

  info(): FunctionInfo {
    const pools = [...this.#pools.values(), ...this.#leaving].map((pool) => pool.info());
    const sum = (of: (info: (typeof pools)[number]) => number): number => pools.reduce((total, info) => total + of(info), 0);
    const order = ["failing", "ready", "starting", "idle", "stopped"] as const;
    const isOver = this.#state === "stopped" || this.#state === "closed";
    return {
      id: this.functionId,
      name: this.name,
      kind: this.manifest.kind,
      app: this.app,
      version: this.version,
      session: this.spec.session,
      state: isOver ? "stopped" : (order.find((state) => state !== "stopped" && pools.some((info) => info.state === state)) ?? "idle"),
      reason: pools.find((info) => info.reason)?.reason ?? null,
      containers: { starting: sum((i) => i.containers.starting), ready: sum((i) => i.containers.ready), draining: sum((i) => i.containers.draining) },
      pending: sum((i) => i.pending) + this.#countTasks(),
      running: sum((i) => i.running),
    };
  }
}
