import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createAppBundler } from "@samovar/bundler";
import { REGISTRY, RUNTIME, type AppManifest, type Registry } from "@samovar/protocol";

const SDK_ENTRY = fileURLToPath(import.meta.resolve("samovar"));

/** An app written in a test, as containers get it: a folder with its bundle, and its manifest. */
export interface BuiltApp {
  readonly manifest: AppManifest;
  readonly sourceDir: string;
  readonly entry: string;
  /** Loads the module anew in this process, as each worker loads it in its own. */
  load(): Promise<Readonly<Record<string, unknown>>>;
  dispose(): Promise<void>;
}

let loads = 0;

/** Bundles the source as the CLI does, with the SDK of this checkout. */
export async function buildApp(source: string): Promise<BuiltApp> {
  const dir = await mkdtemp(join(tmpdir(), "samovar-app-"));
  const file = join(dir, "src", "app.ts");
  await mkdir(dirname(file), { recursive: true });
  await writeFile(join(dir, "src", "package.json"), `{ "name": "app-under-test", "type": "module" }`);
  await writeFile(file, source);
  const bundler = createAppBundler({ file, sdkEntry: SDK_ENTRY });
  const bundle = await bundler.rebuild();
  await bundler.dispose();
  const sourceDir = join(dir, "code");
  await mkdir(dirname(join(sourceDir, bundle.entry)), { recursive: true });
  await writeFile(join(sourceDir, bundle.entry), bundle.code);
  await writeFile(join(sourceDir, `${bundle.entry}.map`), bundle.map);
  const load = async (): Promise<Readonly<Record<string, unknown>>> => {
    // Each copy of the bundle has its own definitions: the registry of the one before knows nothing of them.
    delete (globalThis as Record<symbol, unknown>)[REGISTRY];
    return (await import(/* @vite-ignore */ `${pathToFileURL(join(sourceDir, bundle.entry)).href}?load=${++loads}`)) as Record<string, unknown>;
  };
  const holder = globalThis as Record<symbol, unknown>;
  const before = holder[RUNTIME];
  holder[RUNTIME] = { remote: false, context: () => undefined, transport: null, onExit() {} };
  try {
    const namespace = await load();
    const manifest = (holder[REGISTRY] as Registry).extract(namespace, { appName: "app", file });
    return { manifest, sourceDir, entry: bundle.entry, load, dispose: () => rm(dir, { recursive: true, force: true }) };
  } finally {
    holder[RUNTIME] = before;
  }
}
