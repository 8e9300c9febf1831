import { REGISTRY, type AppManifest, type ExtractOptions, type Registry } from "@samovar/protocol";
import type { App } from "./app.ts";
import type { DefinitionRecord } from "./definitions/record.ts";
import { extractManifest, nameExports } from "./extract.ts";

type Namespace = Readonly<Record<string, unknown>>;

/**
 * Everything that was defined while modules loaded, in order. One per process, at `globalThis[REGISTRY]`, because
 * what loads a bundle has no other way to the copy of the SDK inside it.
 */
class DefinitionRegistry implements Registry {
  readonly #records: DefinitionRecord[] = [];
  readonly #apps: App[] = [];

  add(record: DefinitionRecord): void {
    this.#records.push(record);
  }

  addApp(app: App): void {
    this.#apps.push(app);
  }

  bind(namespace: Namespace): void {
    nameExports(namespace, this.#records);
  }

  extract(namespace: Namespace, options: ExtractOptions): AppManifest {
    return extractManifest(namespace, options, this.#records, this.#apps);
  }
}

export function getRegistry(): DefinitionRegistry {
  const holder = globalThis as { [REGISTRY]?: DefinitionRegistry };
  return (holder[REGISTRY] ??= new DefinitionRegistry());
}
