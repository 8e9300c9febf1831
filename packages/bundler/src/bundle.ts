/** What `samovar run` and `serve` make of a module: one file and its source map, kept in memory. */
export interface Bundle {
  /** The entry module, absolute. */
  readonly file: string;
  /** The project's folder, absolute: `entry` and the sources of the map are relative to it. */
  readonly root: string;
  /** Whether files of the root travel with the bundle. */
  readonly syncs: boolean;
  /** Path of the bundle relative to the root, with forward slashes: in the entry module's own folder. */
  readonly entry: string;
  readonly code: Uint8Array;
  /** Lies beside the bundle as `{entry}.map`. */
  readonly map: Uint8Array;
  /** Absolute files that the bundle was made of, packages and SDK included: what to watch. */
  readonly inputs: readonly string[];
  readonly nativePackages: readonly ExternalPackage[];
  /** The `node_modules` folders that the packages left outside are found in, nearest first. */
  readonly nodeModules: readonly string[];
  /** What the author should know and what did not stop the build: sentences. */
  readonly notes: readonly string[];
}

/** A package that stays outside of the bundle, because it would not work inside. */
export interface ExternalPackage {
  readonly name: string;
  /** `native`: it has compiled parts. `own-files`: it finds its own files by its place on disk. */
  readonly reason: "native" | "own-files";
  /** The `node_modules` folder it was found in. */
  readonly nodeModules: string;
}

export interface BundleOptions {
  /** The entry module. */
  readonly file: string;
  /**
   * Main module of the SDK that stands in where the project has none: TypeScript in a checkout, JavaScript where
   * it is installed.
   */
  readonly sdkEntry: string;
}
