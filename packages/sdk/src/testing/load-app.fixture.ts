import { build } from "esbuild";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { REGISTRY, type AppManifest, type Registry } from "@samovar/protocol";

const SDK = fileURLToPath(new URL("../index.ts", import.meta.url));

export interface LoadedApp {
  readonly namespace: Readonly<Record<string, any>>;
  readonly registry: Registry;
  extract(): AppManifest;
}

/** Compiles a module as `samovar` does, decorators included, and imports it with a registry of its own. */
export async function loadApp(source: string): Promise<LoadedApp> {
  const folder = await mkdtemp(path.join(tmpdir(), "samovar-sdk-"));
  try {
    const out = path.join(folder, "app.mjs");
    await writeFile(path.join(folder, "app.ts"), source);
    await build({
      entryPoints: [path.join(folder, "app.ts")],
      outfile: out,
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node26",
      conditions: ["samovar-source"],
      alias: { samovar: SDK },
      nodePaths: [path.resolve(path.dirname(SDK), "../../../node_modules")],
      tsconfigRaw: {},
      logLevel: "silent",
    });
    const holder = globalThis as { [REGISTRY]?: Registry };
    delete holder[REGISTRY];
    const namespace = (await import(/* @vite-ignore */ pathToFileURL(out).href)) as Record<string, unknown>;
    const registry = holder[REGISTRY]!;
    return { namespace, registry, extract: () => registry.extract(namespace, { appName: "test-app", file: "app.ts" }) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The message of what loading or extracting throws, places in files left out. */
export async function mistakeOf(source: string): Promise<string> {
  try {
    const app = await loadApp(source.includes("export") ? source : `${source}\nexport {};`);
    app.extract();
  } catch (error) {
    return `${(error as { code?: string }).code}: ${(error as Error).message.replaceAll(/\S*app\.mjs:\d+:\d+/g, "<site>")}`;
  }
  return "no mistake";
}
