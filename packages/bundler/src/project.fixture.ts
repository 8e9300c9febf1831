import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterEach } from "vitest";
import type { Bundle } from "./bundle.ts";
import { createCode } from "./code-object.ts";
import { collectFiles } from "./collect-files.ts";

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

export type Files = Readonly<Record<string, string | Uint8Array>>;

/** A folder of its own with these files, removed after the test. */
export function makeFolder(files: Files = {}): string {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "samovar bundler ü-")));
  folders.push(folder);
  writeFiles(folder, files);
  return folder;
}

export function writeFiles(folder: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
}

/** A stand-in for the SDK that is small enough to see through: `fn` marks, the registry lists what is marked. */
export function makeSdk(): string {
  const folder = makeFolder({
    "package.json": JSON.stringify({
      name: "samovar",
      type: "module",
      exports: {
        ".": { "samovar-source": "./src/index.ts" },
        "./internal": { "samovar-source": "./src/internal.ts" },
        "./extra": { "samovar-source": "./src/extra.ts" },
      },
    }),
    "src/index.ts": `
      const g = globalThis as Record<symbol, any>;
      const marked = new Set<unknown>();
      g[Symbol.for("samovar.registry")] = {
        bind() {},
        extract(namespace: object, { appName, file }: { appName: string; file: string }) {
          const functions = Object.entries(namespace).filter(([, value]) => marked.has(value)).map(([name]) => ({ name, exportName: name }));
          return { manifestVersion: 1, app: appName, functions, hasMain: "default" in namespace, file };
        },
      };
      export function fn<I, O>(options: object, run: (input: I) => O): { remote(input: I): Promise<O> } {
        const handle = { remote: (input: I) => g[Symbol.for("samovar.runtime")].transport.call({ kind: "function", name: "f" }, input, {}) };
        marked.add(handle);
        return handle;
      }
      export function onExit(run: () => unknown): void { g[Symbol.for("samovar.runtime")].onExit(run); }
      export const copy = "the stand-in";
    `,
    "src/internal.ts": `export const createHttpTransport = (settings: object) => ({ call: async (target: object, input: unknown) => ({ settings, target, input }) });`,
    "src/extra.ts": `export const extra = "extra of the stand-in";`,
  });
  return path.join(folder, "src/index.ts");
}

/** What a container's folder is made of, put into a folder. */
export async function materialize(bundle: Bundle): Promise<string> {
  const { files } = bundle.syncs ? await collectFiles({ root: bundle.root }) : { files: [] };
  const code = createCode(bundle, files);
  const folder = makeFolder();
  for (const file of code.object.files) writeFiles(folder, { [file.path]: await buffer(code.readContent(file.sha256)) });
  if (bundle.nodeModules[0] !== undefined) symlinkSync(bundle.nodeModules[0], path.join(folder, "node_modules"));
  return folder;
}

/** Runs the default export as a worker would load it, away from the sources; resolves to what it returns. */
export async function runAway(bundle: Bundle): Promise<{ readonly folder: string; readonly result: unknown }> {
  const folder = await materialize(bundle);
  const url = pathToFileURL(path.join(folder, bundle.entry)).href;
  const script = `const { default: main } = await import(${JSON.stringify(url)}); process.stdout.write(JSON.stringify(await main()));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--enable-source-maps", "--input-type=module", "--eval", script]);
  return { folder, result: JSON.parse(stdout) };
}

export const readText = (file: string): Promise<string> => readFile(file, "utf8");
