import { collectFiles, createAppBundler, createCode, HashCache, startAppHost, type AppBundler, type AppHost, type Bundle, type Code } from "@samovar/bundler";
import type { CliIo } from "../io.ts";
import { sdkEntry } from "./sdk-entry.ts";

export interface AppLoaderOptions {
  /** Absolute. */
  readonly file: string;
  readonly appName: string | undefined;
  /** The server's home, which may lie beside the module and is no part of the code. */
  readonly home: string;
  /** Added to this command's own environment, for the module on this machine. */
  readonly env: Readonly<Record<string, string>>;
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
    this.#io = io;
    this.#options = options;
    this.#bundler = createAppBundler({ file: options.file, sdkEntry: sdkEntry() });
  }

  /** Rejects with `bundle_failed`, and may be called again after that. */
  async build(): Promise<BuiltApp> {
    const bundle = await this.#bundler.rebuild();
    const { files, notes } = bundle.syncs ? await collectFiles({ root: bundle.root, exclude: [this.#options.home], cache: this.#hashes }) : { files: [], notes: [] };
    return { bundle, code: createCode(bundle, files), notes: [...bundle.notes, ...notes] };
  }

  /** Loads the bundle in a process of its own, which knows the manifest and can run main. To be disposed of. */
  start(bundle: Bundle, signal: AbortSignal): Promise<AppHost> {
    return startAppHost({
      bundle,
      sdkEntry: sdkEntry(),
      appName: this.#options.appName,
      env: { ...this.#io.env, ...this.#options.env },
      cwd: this.#io.cwd,
      // The module owns this command's own streams; where that can't be, what it writes is passed on.
      stdio: this.#io.inheritable ? ["inherit", "inherit", "inherit"] : ["ignore", "pipe", "pipe"],
      signal,
    });
  }

  /** Files that the last build looked at, also when it failed. */
  watchFiles(): readonly string[] {
    return this.#bundler.watchFiles();
  }

  dispose(): Promise<void> {
    return this.#bundler.dispose();
  }
}
