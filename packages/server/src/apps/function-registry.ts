import { SamovarError, type FunctionKind } from "@samovar/protocol";
import type { FunctionEntry, FunctionRuntime, FunctionTable } from "@samovar/scheduler";

/** Every function that can be called, by id and, where it has a route of its own, by name. */
export class FunctionRegistry implements FunctionTable {
  #generation = 0;
  readonly #byId = new Map<string, FunctionRuntime>();
  readonly #byName = new Map<string, FunctionRuntime>();
  /** Names of versions that are being made, and who makes them. */
  readonly #reserved = new Map<string, string>();

  byName(kind: FunctionKind, name: string, version?: number): FunctionEntry | undefined {
    const entry = this.#byName.get(name.toLowerCase());
    return entry && entry.manifest.kind === kind && (version === undefined || entry.version === version) ? entry : undefined;
  }

  get generation(): number {
    return this.#generation;
  }

  byHost(_label: string): FunctionEntry | undefined {
    return undefined;
  }

  byId(functionId: string): FunctionRuntime | undefined {
    return this.#byId.get(functionId);
  }

  list(): readonly FunctionRuntime[] {
    return [...this.#byId.values()];
  }

  /** Who has this name, under whatever kind: names are unique across kinds. */
  holder(name: string): FunctionRuntime | undefined {
    return this.#byName.get(name.toLowerCase());
  }

  /** Puts functions in the place of others, in one turn: no request sees half of it. */
  replace(old: readonly FunctionRuntime[], next: readonly FunctionRuntime[], routed: boolean): void {
    this.#generation++;
    for (const entry of old) {
      this.#byId.delete(entry.functionId);
      if (this.holder(entry.name) === entry) this.#byName.delete(entry.name.toLowerCase());
    }
    for (const entry of next) {
      this.#byId.set(entry.functionId, entry);
      if (routed) this.#byName.set(entry.name.toLowerCase(), entry);
    }
  }

  /**
   * Keeps these names for whoever is about to put functions there, until the returned function is called. Throws
   * `conflict` when one is held by someone who is not about to leave, or kept for someone else.
   */
  reserve(names: readonly string[], leaving: readonly FunctionRuntime[], by: string): () => void {
    const keys = names.map((name) => name.toLowerCase());
    for (const [i, key] of keys.entries()) {
      const holder = this.#byName.get(key);
      const taken = holder && !leaving.includes(holder) ? (holder.spec.session ?? `app ${holder.app}`) : this.#reserved.get(key);
      if (taken !== undefined) throw new SamovarError("conflict", `The name ${names[i]} is taken by ${taken}: end that, or give the function another name`);
    }
    for (const key of keys) this.#reserved.set(key, by);
    return () => {
      for (const key of keys) this.#reserved.delete(key);
    };
  }
}
