import { SamovarError, type FunctionKind } from "@samovar/protocol";
import type { FunctionEntry, FunctionRuntime, FunctionTable } from "@samovar/scheduler";

/** Every function that can be called, by id and, where it has a route of its own, by name. */
export class FunctionRegistry implements FunctionTable {
  readonly #byId = new Map<string, FunctionRuntime>();
  readonly #byName = new Map<string, FunctionRuntime>();

  byName(kind: FunctionKind, name: string, version?: number): FunctionEntry | undefined {
    const entry = this.#byName.get(name.toLowerCase());
    return entry && entry.manifest.kind === kind && (version === undefined || entry.version === version) ? entry : undefined;
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
    for (const entry of old) {
      this.#byId.delete(entry.functionId);
      if (this.holder(entry.name) === entry) this.#byName.delete(entry.name.toLowerCase());
    }
    for (const entry of next) {
      this.#byId.set(entry.functionId, entry);
      if (routed) this.#byName.set(entry.name.toLowerCase(), entry);
    }
  }

  /** Throws `conflict` when a name is held by someone who is not about to leave. */
  assertFree(names: readonly string[], leaving: readonly FunctionRuntime[]): void {
    for (const name of names) {
      const holder = this.holder(name);
      if (!holder || leaving.includes(holder)) continue;
      throw new SamovarError(
        "conflict",
        `The name ${name} is taken by ${holder.spec.session ?? `app ${holder.app}`}: end that, or give the function another name`,
      );
    }
  }
}
