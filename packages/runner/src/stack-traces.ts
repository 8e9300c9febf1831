import type { SourceMap, SourceMapPayload } from "node:module";
import { fileURLToPath } from "node:url";

/**
 * Stacks as the author knows the code: lines of the bundle told as lines of the sources, and the runner's own frames
 * left out. Node's --enable-source-maps reads every map when a module is loaded; this reads one when a stack is first
 * looked at, so that a cold start does not pay for errors that never happen.
 */
export function installStackTraces(runnerUrl: string): void {
  const maps = new Map<string, SourceMap | null>();
  Error.prepareStackTrace = (error, sites) => {
    let text = headline(error);
    for (const site of sites) {
      const file = site.getFileName() ?? "";
      if (file === runnerUrl || file.startsWith("node:internal/")) continue;
      text += `\n    at ${mapped(toText(site), file, site.getLineNumber(), site.getColumnNumber())}`;
    }
    return text;
  };

  const mapped = (frame: string, file: string, line: number | null, column: number | null): string => {
    if (!file.startsWith("file:") || line === null || column === null) return frame;
    let map = maps.get(file);
    if (map === undefined) {
      map = readMap(file);
      maps.set(file, map);
    }
    const origin = map?.findOrigin(line, column);
    if (!origin || !("fileName" in origin) || !origin.fileName) return frame;
    return frame.replace(`${file}:${line}:${column}`, `${toPath(origin.fileName)}:${origin.lineNumber}:${origin.columnNumber}`);
  };
}

function readMap(url: string): SourceMap | null {
  const { readFileSync } = process.getBuiltinModule("node:fs");
  const { SourceMap } = process.getBuiltinModule("node:module");
  try {
    return new SourceMap(JSON.parse(readFileSync(`${fileURLToPath(url)}.map`, "utf8")) as SourceMapPayload);
  } catch {
    return null;
  }
}

/** Sources of a map are relative URLs; people know their files by their own letters. */
function toPath(source: string): string {
  try {
    return decodeURIComponent(source);
  } catch {
    return source;
  }
}

// V8's own text of a frame; the types don't say that it has one.
const toText = (site: NodeJS.CallSite): string => (site as { toString(): string }).toString();

function headline(error: unknown): string {
  try {
    return String(error);
  } catch {
    return "Error";
  }
}
