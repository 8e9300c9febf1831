import { transform } from "esbuild";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll } from "vitest";
import { REGISTRY, type AppManifest, type Registry } from "@samovar/protocol";

export interface LoadedApp {
  readonly namespace: Readonly<Record<string, any>>;
  readonly registry: Registry;
  extract(): AppManifest;
}

const NODE_MODULES = fileURLToPath(new URL("../../../../node_modules", import.meta.url));

let folder: string | undefined;
let loads = 0;

afterAll(() => {
  if (folder) rmSync(folder, { recursive: true });
});

/** One folder for all modules of a test file, from which `samovar` is found as from a project's. */
function openFolder(): string {
  if (folder) return folder;
  const created = mkdtempSync(path.join(tmpdir(), "samovar-sdk-"));
  symlinkSync(NODE_MODULES, path.join(created, "node_modules"));
  return (folder = created);
}

/** Compiles a module's decorators as `samovar` does, and imports it with a registry of its own. */
export async function loadApp(source: string): Promise<LoadedApp> {
  const file = path.join(openFolder(), `app-${++loads}.mjs`);
  const { code } = await transform(source, { loader: "ts", format: "esm", target: "node26", tsconfigRaw: {}, logLevel: "silent" });
  writeFileSync(file, code);
  writeFileSync(`${file}.ts`, source);
  const holder = globalThis as { [REGISTRY]?: Registry };
  delete holder[REGISTRY];
  const namespace = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as Record<string, unknown>;
  const registry = holder[REGISTRY]!;
  return { namespace, registry, extract: () => registry.extract(namespace, { appName: "test-app", file: `${file}.ts` }) };
}

/** The message of what loading or extracting throws, places in files left out. */
export async function mistakeOf(source: string): Promise<string> {
  try {
    (await loadApp(source)).extract();
  } catch (error) {
    return `${(error as { code?: string }).code}: ${(error as Error).message.replaceAll(/\S*app-\d+\.mjs:\d+:\d+/g, "<site>").replaceAll(/\S*app-\d+\.mjs\.ts/g, "app.ts")}`;
  }
  return "no mistake";
}
