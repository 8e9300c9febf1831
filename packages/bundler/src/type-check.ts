import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { SamovarError } from "@samovar/protocol";
import { formatMessages } from "esbuild";
import { findProject, isInside, type Project } from "./project.ts";
import { packageDir } from "./resolve-imports.ts";
import { makeTempFolder } from "./temp-folder.ts";
import { ASSETS, toCheckConfig } from "./type-check-config.ts";

export interface TypeCheckOptions {
  readonly file: string;
  readonly sdkEntry: string;
  /** Ends the compiler's process; the check rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Escape sequences for a terminal in `text`. */
  readonly color?: boolean | undefined;
}

export interface TypeDiagnostic {
  /** Absolute; null for what concerns the options, not a place. */
  readonly file: string | null;
  /** From 1; 0 without a place. */
  readonly line: number;
  readonly column: number;
  /** As in `TS2322`. */
  readonly code: string;
  readonly message: string;
}

export interface TypeCheckResult {
  readonly ok: boolean;
  readonly diagnostics: readonly TypeDiagnostic[];
  /** All of them with their line and a caret, as bundle errors are shown; empty when ok. */
  readonly text: string;
}

/**
 * Checks the types of a module and of what it imports, in the compiler's own process, so that nothing waits for it.
 * Options are the project's own where it has a tsconfig.json, else strict ones. What the bundler decides is the
 * same here: standard decorators, and `samovar` where the project has none. Mistakes inside of packages don't count.
 */
export async function typeCheck(options: TypeCheckOptions): Promise<TypeCheckResult> {
  const project = findProject(options.file);
  const dir = await makeTempFolder("types");
  try {
    const assets = path.join(dir, "assets.d.ts");
    const config = path.join(dir, "tsconfig.json");
    await writeFile(assets, ASSETS);
    await writeFile(config, JSON.stringify(toCheckConfig(project, options.sdkEntry, assets)));
    const output = await runCompiler(["-p", config, "--pretty", "false"], project.root, options.signal);
    return await toResult(output, { project, ownDir: dir, color: options.color ?? false });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** The compiler's standard output. It exits with other codes than 0 when it found mistakes. */
async function runCompiler(args: readonly string[], cwd: string, signal: AbortSignal | undefined): Promise<string> {
  signal?.throwIfAborted();
  const tsc = path.join(path.dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
  // Replaces itself by the native compiler: one process, with this id.
  const child = spawn(process.execPath, [tsc, ...args], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const stop = (): void => void child.kill("SIGKILL");
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const exit = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    const [output, failure, code] = await Promise.all([readAll(child.stdout), readAll(child.stderr), exit]);
    signal?.throwIfAborted();
    if (code === null || failure.trim() !== "") throw new SamovarError("internal", `The TypeScript compiler failed: ${failure.trim() || "it was killed"}`);
    return output;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

async function toResult(output: string, { project, ownDir, color }: { project: Project; ownDir: string; color: boolean }): Promise<TypeCheckResult> {
  const diagnostics = parseDiagnostics(output, project.root).filter(({ file }) => file === null || (!isInside(ownDir, file) && isAuthors(file, project)));
  if (diagnostics.length === 0) return { ok: true, diagnostics, text: "" };
  const lines = new Map<string, string[]>();
  const messages = diagnostics.map((found) => ({
    text: `${found.message} (${found.code})`,
    location:
      found.file === null
        ? null
        : { file: path.relative(project.root, found.file), line: found.line, column: found.column - 1, lineText: lineOf(found.file, found.line, lines) },
  }));
  const shown = await formatMessages(messages, { kind: "error", color });
  return { ok: false, diagnostics, text: shown.map((text) => text.trimEnd()).join("\n\n") };
}

/** `app.ts(3,7): error TS2322: …`, or without a place; lines that belong to it are indented below. */
export function parseDiagnostics(output: string, cwd: string): TypeDiagnostic[] {
  const found: TypeDiagnostic[] = [];
  for (const text of output.split(/\r?\n/)) {
    const parts = /^(?:(.+)\((\d+),(\d+)\): )?error (TS\d+): (.*)$/.exec(text);
    if (parts) {
      const [, file, line = 0, column = 0, code = "", message = ""] = parts;
      found.push({ file: file === undefined ? null : path.resolve(cwd, file), line: Number(line), column: Number(column), code, message });
    } else if (/^\s+\S/.test(text) && found.length > 0) {
      const last = found.pop()!;
      found.push({ ...last, message: `${last.message}\n${text}` });
    }
  }
  return found;
}

/** Neither of a package nor of ours: in a checkout the SDK is source, which other options than its own may not like. */
function isAuthors(file: string, project: Project): boolean {
  if (file.split(path.sep).includes("node_modules")) return false;
  if (isInside(project.root, file)) return true;
  const manifest = path.join(packageDir(file), "package.json");
  try {
    const { name = "" } = JSON.parse(readFileSync(manifest, "utf8")) as { name?: string };
    return name !== "samovar" && !name.startsWith("@samovar/");
  } catch {
    return true;
  }
}

function lineOf(file: string, line: number, lines: Map<string, string[]>): string {
  let all = lines.get(file);
  if (!all) {
    try {
      all = readFileSync(file, "utf8").split(/\r?\n/);
    } catch {
      all = [];
    }
    lines.set(file, all);
  }
  return all[line - 1] ?? "";
}
