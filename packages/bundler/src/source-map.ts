import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { packageDir } from "./resolve-imports.ts";
import { isInside } from "./project.ts";
import { coarsenMappings } from "./source-map-mappings.ts";

interface SourceMap {
  mappings: string;
  sources: string[];
  sourcesContent?: (string | null)[];
}

/**
 * A map for use away from this machine, small enough for every cold start. Its sources are relative to the entry
 * module's folder, so that stack traces name the author's files and lines. Packages, wherever they were found, are
 * named `node_modules/…`, without lines and without text: theirs is what makes maps large (esbuild would write the
 * text for all or for none).
 */
export function toPortableMap(map: Uint8Array, options: { readonly root: string; readonly outDir: string }): Uint8Array {
  const { root, outDir } = options;
  const parsed = JSON.parse(Buffer.from(map).toString("utf8")) as SourceMap;
  const up = path.relative(outDir, root);
  const contents: (string | null)[] = [];
  parsed.sources = parsed.sources.map((source, i) => {
    contents[i] = null;
    if (source.startsWith("samovar-module:")) return toUrl(path.join(up, "node_modules", ".samovar", path.basename(source)));
    const file = path.resolve(outDir, decode(source));
    const inPackages = file.split(path.sep).lastIndexOf("node_modules");
    if (inPackages >= 0) return toUrl(path.join(up, ...file.split(path.sep).slice(inPackages)));
    const ours = isInside(root, file) ? undefined : ourPackage(file);
    if (ours) return toUrl(path.join(up, "node_modules", ours.name, path.relative(ours.dir, file)));
    contents[i] = read(file);
    return isInside(root, file) ? toUrl(path.relative(outDir, file)) : pathToFileURL(file).href;
  });
  parsed.sourcesContent = contents;
  parsed.mappings = coarsenMappings(
    parsed.mappings,
    contents.map((text) => text === null),
  );
  return Buffer.from(JSON.stringify(parsed));
}

/** What was just bundled may be gone already: then the trace has no text, and the next build follows. */
function read(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

/** The same map for a bundle that runs away from its place, on this machine: sources are the author's own files. */
export function toLocalMap(map: Uint8Array, outDir: string): Uint8Array {
  const parsed = JSON.parse(Buffer.from(map).toString("utf8")) as SourceMap;
  const base = pathToFileURL(`${outDir}/`);
  parsed.sources = parsed.sources.map((source) => new URL(source, base).href);
  return Buffer.from(JSON.stringify(parsed));
}

function toUrl(relative: string): string {
  return relative.split(path.sep).map(encodeURIComponent).join("/");
}

/** esbuild escapes some characters of a path, not all that a URL needs escaped. */
function decode(source: string): string {
  try {
    return decodeURIComponent(source);
  } catch {
    return source;
  }
}

/** Ours in a checkout: the SDK and what it is made of, which don't lie in `node_modules` there. */
function ourPackage(file: string): { name: string; dir: string } | undefined {
  const dir = packageDir(file);
  const manifest = path.join(dir, "package.json");
  if (!existsSync(manifest)) return undefined;
  const { name } = JSON.parse(readFileSync(manifest, "utf8")) as { name?: string };
  return name === "samovar" || name?.startsWith("@samovar/") ? { name, dir } : undefined;
}
