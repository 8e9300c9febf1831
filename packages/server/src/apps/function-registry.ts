import { hostLabel } from "@samovar/gateway";
import { SamovarError, type FunctionKind } from "@samovar/protocol";
import type { FunctionEntry, FunctionRuntime, FunctionTable } from "@samovar/scheduler";
import { splitHostLabel } from "./host-label.ts";

/** What a name leads to: the version that takes its calls, and all that can be called as `@n`. */
interface Route {
  readonly name: string;
  readonly active: FunctionRuntime;
  readonly versions: ReadonlyMap<number, FunctionRuntime>;
}

/** Every function that can be called, by id and, where it has a route of its own, by name. */
export class FunctionRegistry implements FunctionTable {
  readonly #byId = new Map<string, FunctionRuntime>();
  readonly #routes = new Map<string, Route>();
  readonly #byHost = new Map<string, Route>();
  /** Names of versions that are being made, and who makes them. */
  readonly #reserved = new Map<string, string>();
  #generation = 0;

  get generation(): number {
    return this.#generation;
  }

  byName(kind: FunctionKind, name: string, version?: number): FunctionEntry | undefined {
    const route = this.#routes.get(name.toLowerCase());
    const entry = version === undefined ? route?.active : route?.versions.get(version);
    return entry?.manifest.kind === kind ? entry : undefined;
  }

  /** A version, active or not, of whatever kind. */
  byKey(name: string, version: number): FunctionRuntime | undefined {
    return this.#routes.get(name.toLowerCase())?.versions.get(version);
  }

  byId(functionId: string): FunctionRuntime | undefined {
    return this.#byId.get(functionId);
  }

  byHost(label: string): FunctionEntry | undefined {
    const route = this.#byHost.get(label);
    if (route) return route.active;
    const { name, version } = splitHostLabel(label);
    return version === null ? undefined : this.#byHost.get(name)?.versions.get(version);
  }

  list(): readonly FunctionRuntime[] {
    return [...this.#byId.values()];
  }

  /** Who has this name, under whatever kind: names are unique across kinds. */
  holder(name: string): FunctionRuntime | undefined {
    return this.#routes.get(name.toLowerCase())?.active;
  }

  /** Puts functions in the place of others, in one turn: no request sees half of it. */
  replace(old: readonly FunctionRuntime[], next: readonly FunctionRuntime[], routed: boolean): void {
    for (const entry of old) {
      this.remove(entry);
      if (this.holder(entry.name) === entry) this.unroute(entry.name);
    }
    for (const entry of next) {
      this.add(entry);
      if (routed) this.route(entry.name, entry, new Map([[entry.version, entry]]));
    }
  }

  /** By its id only, until a route leads to it. */
  add(entry: FunctionRuntime): void {
    this.#byId.set(entry.functionId, entry);
  }

  remove(entry: FunctionRuntime): void {
    this.#byId.delete(entry.functionId);
  }

  /** From now on the name leads there. Whoever looked it up before sees it by `generation`. */
  route(name: string, active: FunctionRuntime, versions: ReadonlyMap<number, FunctionRuntime>): void {
    this.#generation++;
    const route: Route = { name, active, versions };
    this.#routes.set(name.toLowerCase(), route);
    this.#byHost.set(hostLabel(name), route);
  }

  unroute(name: string): void {
    this.#generation++;
    this.#routes.delete(name.toLowerCase());
    this.#byHost.delete(hostLabel(name));
  }

  /**
   * Keeps these names for whoever is about to put functions there, until the returned function is called. Throws
   * `conflict` when one is held by someone who is not about to leave, or kept for someone else, and when its host would
   * be another name's.
   */
  reserve(names: readonly string[], leaving: readonly FunctionRuntime[], by: string): () => void {
    const keys = names.map((name) => name.toLowerCase());
    for (const [i, key] of keys.entries()) {
      const holder = this.#routes.get(key)?.active;
      const taken = holder && !leaving.includes(holder) ? describeHolder(holder) : this.#reserved.get(key);
      if (taken !== undefined) throw new SamovarError("conflict", `The name ${names[i]} is taken by ${taken}: end that, or give the function another name`);
      this.#assertHostFree(names[i]!, names.slice(0, i));
    }
    for (const key of keys) this.#reserved.set(key, by);
    return () => {
      for (const key of keys) this.#reserved.delete(key);
    };
  }

  #assertHostFree(name: string, before: readonly string[]): void {
    const label = hostLabel(name);
    const others = [this.#byHost.get(label)?.name, ...[...this.#reserved.keys(), ...before].filter((one) => hostLabel(one) === label)];
    const other = others.find((found) => found !== undefined && found.toLowerCase() !== name.toLowerCase());
    if (other !== undefined)
      throw new SamovarError("conflict", `The names ${name} and ${other} would have the same host, ${label}.localhost: give the function another name`);
  }
}

const describeHolder = (holder: FunctionRuntime): string => holder.spec.session ?? `app ${holder.app}`;
