import { basename } from "node:path";
import {
  collectFiles,
  collectPackages,
  createAppBundler,
  createCode,
  HashCache,
  startAppHost,
  type AppBundler,
  type AppHost,
  type Bundle,
  type Code,
} from "@samovar/bundler";
import { describeNameProblem, SamovarError } from "@samovar/protocol";
import type { CommandContext } from "../command-context.ts";
import type { CliIo } from "../io.ts";
import type { Target } from "../target.ts";
import { sdkEntry } from "./sdk-entry.ts";

const SLOW_LOAD_MS = 5_000;
const LOAD_TIMEOUT_MS = 60_000;

export interface AppLoaderOptions {
  /** Absolute. */
  readonly file: string;
  readonly appName: string | undefined;
  /** The server's home, which may lie beside the module and is no part of the code. */
  readonly home: string;
  /** What the module prints to stdout goes to stderr: the command's stdout is for its result. */
  readonly quiet?: boolean;
  /** Packages that can't be bundled travel with the code: what is deployed may not change with the project. */
  readonly withPackages?: boolean;
  /** Added to this command's own environment, for the module on this machine. */
  readonly env: Readonly<Record<string, string>>;
}

/** The loader of a command's module, from what its flags say. */
export function loaderOf(
  { io, settings }: CommandContext,
  target: Pick<Target, "file">,
  flags: { readonly app?: string | undefined; readonly env?: Readonly<Record<string, string>> | undefined },
  options: Pick<AppLoaderOptions, "quiet" | "withPackages"> = {},
): AppLoader {
  // A server elsewhere doesn't have this machine's folders.
  return new AppLoader(io, {
    file: target.file,
    appName: flags.app,
    env: flags.env ?? {},
    home: settings.home,
    withPackages: settings.url !== null,
    ...options,
  });
}

/** A module bundled, with the files that travel with it. */
export interface BuiltApp {
  readonly bundle: Bundle;
  readonly code: Code;
  /** What the author should know, and what did not stop it: sentences. */
  readonly notes: readonly string[];
}

/** Loads one module, again and again for `serve`; what did not change is not read again. */
export class AppLoader {
  readonly #io: CliIo;
  readonly #options: AppLoaderOptions;
  readonly #bundler: AppBundler;
  readonly #hashes = new HashCache();

  constructor(io: CliIo, options: AppLoaderOptions) {
    const problem = options.appName === undefined ? undefined : describeNameProblem(options.appName);
    if (problem) throw new SamovarError("invalid_option", `--app: ${problem}`);
    this.#io = io;
    this.#options = options;
    this.#bundler = createAppBundler({ file: options.file, sdkEntry: sdkEntry() });
  }

  /** Rejects with `bundle_failed`, and may be called again after that. */
  async build(): Promise<BuiltApp> {
    const bundle = await this.#bundler.rebuild();
    const { files, notes } = bundle.syncs
      ? await collectFiles({ root: bundle.root, exclude: [this.#options.home], excludeFiles: this.#io.outputFiles, cache: this.#hashes })
      : { files: [], notes: [] };
    const packages = this.#options.withPackages ? await collectPackages(bundle.nativePackages, this.#hashes) : null;
    return { bundle, code: createCode(bundle, files, packages), notes: [...bundle.notes, ...notes] };
  }

  /** Loads the bundle in a process of its own, which knows the manifest and can run main. To be disposed of. `onSlow` gets a sentence for people. */
  async start(bundle: Bundle, signal: AbortSignal, onSlow: (note: string) => void): Promise<AppHost> {
    const name = basename(bundle.file);
    const cancel = this.#io.clock.after(SLOW_LOAD_MS, () =>
      onSlow(
        `${name} is still loading after ${SLOW_LOAD_MS / 1_000} s: what its top level does has not ended. It is given up after ${LOAD_TIMEOUT_MS / 1_000} s`,
      ),
    );
    return startAppHost({
      loadTimeoutMs: LOAD_TIMEOUT_MS,
      clock: this.#io.clock,
      bundle,
      sdkEntry: sdkEntry(),
      appName: this.#options.appName,
      env: { ...this.#io.env, ...this.#options.env },
      cwd: this.#io.cwd,
      // The module owns this command's own streams; where that can't be, what it writes is passed on.
      stdio: !this.#io.inheritable ? ["ignore", "pipe", "pipe"] : this.#options.quiet ? ["ignore", "stderr", "inherit"] : ["inherit", "inherit", "inherit"],
      signal,
    }).finally(cancel);
  }

  /** Files that the last build looked at, also when it failed. */
  watchFiles(): readonly string[] {
    return this.#bundler.watchFiles();
  }

  dispose(): Promise<void> {
    return this.#bundler.dispose();
  }
}
