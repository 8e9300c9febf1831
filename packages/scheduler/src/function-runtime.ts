import { SamovarError, type FunctionId, type FunctionInfo, type FunctionManifest, type LoadMessage, type StopReason } from "@samovar/protocol";
import type { CodeMount } from "@samovar/runtime";
import type { Container } from "./container.ts";
import type { FunctionEntry } from "./function-table.ts";
import type { InputRequest, InputSink, InputTicket } from "./input.ts";
import { Pool } from "./pool.ts";
import type { PoolServices, StartPolicy } from "./pool-types.ts";

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
  readonly development: boolean;
  readonly hostCeiling: number;
  readonly startPolicy: StartPolicy;
  /** Whether the floor is kept warm from the start on. A `run` may never call the function: there it begins with the first call. */
  readonly keepsFloor: boolean;
}

const NO_PARAMETERS = "[]";
/** Constructor arguments come from callers: each set is a pool of its own, so there is an end to it. */
const MAX_POOLS = 1_000;

/** One function in one version: its pools, one for each set of constructor arguments that was asked for. */
export class FunctionRuntime implements FunctionEntry {
  readonly spec: FunctionSpec;
  readonly #services: PoolServices;
  readonly #onUse: () => void;
  readonly #pools = new Map<string, Pool>();
  #lastUsedAtMs = 0;
  #closed = false;

  constructor(spec: FunctionSpec, services: PoolServices, onUse: () => void) {
    this.spec = spec;
    this.#services = services;
    this.#onUse = onUse;
    if (spec.keepsFloor && spec.manifest.options.minContainers > 0 && !spec.manifest.requiresParameters) this.#pool([]);
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

  get development(): boolean {
    return this.spec.development;
  }

  get lastUsedAtMs(): number {
    return this.#lastUsedAtMs;
  }

  get containers(): Container[] {
    return [...this.#pools.values()].flatMap((pool) => [...pool.containers]);
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

  #pool(parameters: readonly unknown[]): Pool {
    const key = parameters.length === 0 ? NO_PARAMETERS : canonicalJson(parameters);
    const known = this.#pools.get(key);
    if (known) return known;
    if (this.#closed) throw new SamovarError("shutting_down", `${this.name} was stopped; call again`);
    if (this.manifest.requiresParameters && parameters.length === 0) {
      throw new SamovarError("invalid_request", `${this.name} needs constructor arguments: call it through .with(…), or give ?with=[…]`);
    }
    if (parameters.length > 0 && this.manifest.kind !== "cls")
      throw new SamovarError("invalid_request", `${this.name} is not a class: it takes no constructor arguments`);
    if (this.#pools.size >= MAX_POOLS) this.#dropIdlePool();
    const { manifest, load, hostCeiling, startPolicy } = this.spec;
    const code = this.spec.builtCode.get(key) ?? this.spec.code;
    const pool = new Pool({ manifest, code, load: { ...load, parameters }, hostCeiling, startPolicy }, this.#services);
    this.#pools.set(key, pool);
    return pool;
  }

  #dropIdlePool(): void {
    for (const [key, pool] of this.#pools) {
      if (pool.containers.size > 0 || pool.queued > 0) continue;
      this.#pools.delete(key);
      void pool.close("idle", 0);
      return;
    }
    throw new SamovarError("no_capacity", `${this.name} has ${MAX_POOLS} sets of constructor arguments in use already`);
  }

  /** Containers drain and end; what waits goes to the successor, with the same arguments. */
  async close(reason: StopReason, drainMs: number | null, successor: FunctionRuntime | null = null): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#pools].map(([key, pool]) => pool.close(reason, drainMs, pool.queued > 0 && successor ? successor.#poolByKey(key) : null)));
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
    const pools = [...this.#pools.values()].map((pool) => pool.info());
    const sum = (of: (info: (typeof pools)[number]) => number): number => pools.reduce((total, info) => total + of(info), 0);
    const order = ["failing", "ready", "starting", "idle", "stopped"] as const;
    return {
      id: this.functionId,
      name: this.name,
      kind: this.manifest.kind,
      app: this.app,
      version: this.version,
      session: this.spec.session,
      state: this.#closed ? "stopped" : (order.find((state) => pools.some((info) => info.state === state)) ?? "idle"),
      reason: pools.find((info) => info.reason)?.reason ?? null,
      containers: { starting: sum((i) => i.containers.starting), ready: sum((i) => i.containers.ready), draining: sum((i) => i.containers.draining) },
      pending: sum((i) => i.pending),
      running: sum((i) => i.running),
    };
  }
}

/** JSON with sorted keys: equal arguments have equal keys, in whatever order their fields were written. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    item !== null && typeof item === "object" && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : item,
  );
}
