import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The runner's entry point: the source in a checkout, the compiled file in a published package. */
export function runnerEntryPath(): string {
  const source = fileURLToPath(new URL("./main.ts", import.meta.url));
  return existsSync(source) ? source : fileURLToPath(new URL("./main.js", import.meta.url));
}

/**
 * Writes the runner as one file, which depends on nothing but Node, and resolves with the paths of the sources it was
 * made of. Give it the extension `.mjs`. esbuild is loaded here and not above, as most who import this package never
 * bundle; and its process ends with this, where `build` would keep one for as long as the server lives.
 */
export async function bundleRunner(outFile: string): Promise<string[]> {
  const { buildSync } = await import("esbuild");
  const { metafile } = buildSync({
    entryPoints: [runnerEntryPath()],
    outfile: outFile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node26",
    conditions: ["samovar-source"],
    sourcemap: false,
    minify: false,
    legalComments: "none",
    logLevel: "silent",
    metafile: true,
  });
  return Object.keys(metafile.inputs).map((input) => resolve(input));
}
