import path from "node:path";
import { context, type BuildContext, type BuildFailure, type BuildOptions, type BuildResult } from "esbuild";
import type { Bundle, BundleOptions, ExternalPackage } from "./bundle.ts";
import { toBundleError } from "./bundle-failure.ts";
import { ExternalPackages } from "./external-packages.ts";
import { bundleBanner, LOCATION_DEFINES, setUpModuleLocation } from "./module-location.ts";
import { findProject, type Project } from "./project.ts";
import { setUpImports } from "./resolve-imports.ts";
import { toPortableMap } from "./source-map.ts";
import { findTsconfig, type ProjectTsconfig } from "./tsconfig.ts";

/** How often a build may find another package that must stay outside, each of which needs one more run. */
const MAX_PASSES = 20;

/** Builds one module again and again; what did not change is not read again. */
export interface AppBundler {
  readonly project: Project;
  /** Rejects with `bundle_failed`, and may be called again after that. Calls that overlap share one build. */
  rebuild(): Promise<Bundle>;
  /** Files that the last build read or looked at, also when it failed: what to watch beside the project's folder. */
  watchFiles(): readonly string[];
  dispose(): Promise<void>;
}

/**
 * Builds a module once.
 *
 * @example
 * const bundle = await bundleApp({ file: "app.ts", sdkEntry });
 */
export async function bundleApp(options: BundleOptions): Promise<Bundle> {
  const bundler = createAppBundler(options);
  try {
    return await bundler.rebuild();
  } finally {
    await bundler.dispose();
  }
}

/** Throws `bundle_failed` when there is no such file. */
export function createAppBundler(options: BundleOptions): AppBundler {
  return new Bundler(options);
}

/**
 * The esbuild context is made at the first build, and anew when tsconfig.json changed: its content is one of the
 * context's options. `dispose` ends it; a build after that rejects.
 */
class Bundler implements AppBundler {
  readonly project: Project;
  readonly #sdkEntry: string;
  readonly #externals = new ExternalPackages();
  readonly #files = new Set<string>();
  readonly #notes = new Set<string>();
  #foundExternal = false;
  #context: BuildContext<Options> | undefined;
  #tsconfig: ProjectTsconfig | undefined;
  #tsconfigRaw = "";
  #running: Promise<Bundle> | undefined;
  #disposed = false;

  constructor(options: BundleOptions) {
    this.project = findProject(options.file);
    this.#sdkEntry = options.sdkEntry;
  }

  rebuild(): Promise<Bundle> {
    this.#running ??= this.#build().finally(() => (this.#running = undefined));
    return this.#running;
  }

  watchFiles(): readonly string[] {
    return [...new Set([this.project.file, ...(this.#tsconfig?.files ?? []), ...this.#files])];
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    await this.#running?.catch(() => {});
    await this.#context?.dispose();
    this.#context = undefined;
  }

  async #build(): Promise<Bundle> {
    if (this.#disposed) throw new Error("This bundler was disposed of: create another one");
    const { project } = this;
    const outDir = path.dirname(project.file);
    const entry = path.relative(project.root, bundlePath(project.file)).split(path.sep).join("/");
    const build = await this.#prepare(entry, outDir);
    const result = await this.#run(build);

    const [map, code] = splitOutput(result);
    const inputs = Object.keys(result.metafile.inputs).flatMap((input) => (input.includes("samovar-module:") ? [] : [path.resolve(project.root, input)]));
    for (const input of inputs) this.#files.add(input);
    const nativePackages = this.#externals.list();
    return {
      file: project.file,
      root: project.root,
      syncs: project.syncs,
      entry,
      code,
      map: toPortableMap(map, { root: project.root, outDir }),
      inputs,
      nativePackages,
      nodeModules: nodeModulesOf(nativePackages),
      notes: [
        ...syncNotes(project),
        ...this.#notes,
        ...result.warnings.map((warning) => `${warning.text}${warning.location ? ` (${warning.location.file}:${warning.location.line})` : ""}`),
      ],
    };
  }

  async #prepare(entry: string, outDir: string): Promise<BuildContext<Options>> {
    const { project } = this;
    this.#tsconfig = findTsconfig(outDir, project.root);
    const tsconfigRaw = JSON.stringify({
      compilerOptions: { paths: this.#tsconfig?.paths ?? {}, ...this.#tsconfig?.jsx, useDefineForClassFields: true, experimentalDecorators: false },
    });
    if (this.#context && tsconfigRaw === this.#tsconfigRaw) return this.#context;
    await this.#context?.dispose();
    this.#context = undefined;
    this.#tsconfigRaw = tsconfigRaw;
    const created = await context<Options>({
      ...FIXED_OPTIONS,
      absWorkingDir: project.root,
      entryPoints: [project.file],
      outfile: bundlePath(project.file),
      conditions: this.#sdkEntry.endsWith(".ts") ? ["samovar-source", "module"] : ["module"],
      banner: { js: bundleBanner(entry) },
      tsconfigRaw,
      plugins: [
        {
          name: "samovar",
          setup: (build) => {
            const onNewExternal = (): void => void (this.#foundExternal = true);
            setUpImports(build, { outDir, sdkEntry: this.#sdkEntry, externals: this.#externals, onNewExternal });
            setUpModuleLocation(build, {
              root: project.root,
              externals: this.#externals,
              onNewExternal,
              onFile: (file) => this.#files.add(file),
              onNote: (note) => this.#notes.add(note),
            });
          },
        },
      ],
    });
    this.#context = created;
    return created;
  }

  async #run(build: BuildContext<Options>): Promise<BuildResult<Options>> {
    for (let pass = 1; ; pass++) {
      this.#foundExternal = false;
      this.#externals.beginBuild();
      this.#files.clear();
      this.#notes.clear();
      try {
        const result = await build.rebuild();
        if (!this.#foundExternal || pass === MAX_PASSES) return result;
      } catch (error) {
        if (this.#foundExternal && pass < MAX_PASSES) continue;
        if (isBuildFailure(error)) throw await toBundleError(error.errors, this.project.file);
        throw error;
      }
    }
  }
}

type Options = BuildOptions & { write: false; metafile: true };

const FIXED_OPTIONS = {
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node26",
  write: false,
  metafile: true,
  sourcemap: "linked",
  // The author's own text is added afterwards, see `toPortableMap`.
  sourcesContent: false,
  charset: "utf8",
  // Names of functions and classes are what hooks and remote errors are shown by.
  keepNames: true,
  logLevel: "silent",
  define: LOCATION_DEFINES,
  loader: { ".txt": "text", ".wasm": "binary" },
} as const satisfies BuildOptions;

/** `dir/app.ts` → `dir/app.samovar.mjs`: in the same folder, so that what is relative to the module stays so. */
function bundlePath(file: string): string {
  return path.join(path.dirname(file), `${path.basename(file, path.extname(file))}.samovar.mjs`);
}

function splitOutput(result: BuildResult<Options>): [map: Uint8Array, code: Uint8Array] {
  const map = result.outputFiles.find((file) => file.path.endsWith(".map"));
  const code = result.outputFiles.find((file) => !file.path.endsWith(".map"));
  if (!map || !code) throw new Error(`esbuild wrote ${result.outputFiles.length} files where a bundle and its map were expected`);
  return [map.contents, code.contents];
}

function syncNotes({ root, syncs, file }: Project): string[] {
  return syncs
    ? []
    : [
        `${path.basename(file)} lies in ${root}, which is too much to send: nothing but its bundle is. Put it in a folder of its own if it needs files beside it`,
      ];
}

function nodeModulesOf(packages: readonly ExternalPackage[]): readonly string[] {
  const folders = new Set(packages.map((found) => found.nodeModules));
  return [...folders].sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && Array.isArray((error as Partial<BuildFailure>).errors);
}
