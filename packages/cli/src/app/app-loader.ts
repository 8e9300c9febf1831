import { collectFiles, createAppBundler, createCode, HashCache, startAppHost, type AppBundler, type AppHost, type AppHostOptions, type Bundle, type Code } from "@samovar/bundler";
import type { CliIo } from "../io.ts";
import { sdkEntry } from "./sdk-entry.ts";

export interface AppLoaderOptions {
  /** Absolute. */
  readonly file: string;
  readonly appName: string | undefined;
  /** Added to this command's own environment, for the module on this machine. */
  readonly env: Readonly<Record<string, string>>;
}

/** A module made ready: bundled, loaded in a process of its own that knows its manifest, its files hashed. */
export interface LoadedApp {
  readonly bundle: Bundle;
  readonly code: Code;
  /** Holds the module; main runs in it. To be disposed of. */
  readonly host: AppHost;
  /** What the author should know, and what did not stop it. */
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

  /** The project's folder: its files travel with the code. */
  get root(): string {
    return this.#bundler.project.root;
  }

  /** Whether files of `root` travel, and are worth watching. */
  get syncs(): boolean {
    return this.#bundler.project.syncs;
  }

  /** Rejects with `bundle_failed`, `load_failed` or what is wrong with a definition; may be called again after that. */
  async load(signal: AbortSignal, stdio: AppHostOptions["stdio"]): Promise<LoadedApp> {
    const bundle = await this.#bundler.rebuild();
    signal.throwIfAborted();
    const files = bundle.syncs ? collectFiles({ root: bundle.root, cache: this.#hashes }) : Promise.resolve({ files: [], notes: [] });
    files.catch(() => {});
    const host = await startAppHost({
      bundle,
      sdkEntry: sdkEntry(),
      appName: this.#options.appName,
      env: { ...this.#io.env, ...this.#options.env },
      cwd: this.#io.cwd,
      stdio,
      signal,
    });
    try {
      const collected = await files;
      return { bundle, code: createCode(bundle, collected.files), host, notes: [...bundle.notes, ...collected.notes] };
    } catch (error) {
      await host.dispose();
      throw error;
    }
  }

  watchFiles(): readonly string[] {
    return this.#bundler.watchFiles();
  }

  dispose(): Promise<void> {
    return this.#bundler.dispose();
  }
}
