import type { FunctionOptions } from "./options.ts";

/**
 * What an app is, as plain data: the SDK produces it by loading the module, everything else consumes it.
 * Nothing in it is code; the runner finds code by `exportName` in the bundle.
 */
export interface AppManifest {
  readonly manifestVersion: 1;
  readonly app: string;
  readonly functions: readonly FunctionManifest[];
  /** Whether the module has a default export, the local entry point of `samovar run`. */
  readonly hasMain: boolean;
}

export type FunctionKind = "endpoint" | "function" | "taskqueue" | "schedule" | "cls";

export interface FunctionManifest {
  readonly name: string;
  readonly kind: FunctionKind;
  readonly exportName: string;
  readonly options: FunctionOptions;
  readonly hooks: Readonly<Record<HookKind, readonly HookManifest[]>>;
  /** Null for a class. */
  readonly handler: CallableManifest | null;
  /** When it runs: of the kind `schedule` alone. */
  readonly schedule: ScheduleManifest | null;
  /** The remote methods of a class by name; empty for the others. */
  readonly methods: Readonly<Record<string, MethodManifest>>;
  /** A class whose constructor has required parameters can only be called through `.with(…)`. */
  readonly requiresParameters: boolean;
  /** Constructor arguments that a class is built with, one build each; `[[]]` for everything else. */
  readonly builds: readonly (readonly unknown[])[];
}

export type HookKind = "onBuild" | "onDeploy" | "onStart" | "onStop";

export interface HookManifest {
  /** As logs and the waterfall show it: the function's or method's name, else `onStart[1]`. */
  readonly name: string;
  /** onBuild and onDeploy: hash of its source text and key, which tells whether it changed. Others: empty. */
  readonly cacheKey: string;
}

export interface CallableManifest {
  /** A generator: it answers with a stream of items and has no `.remote`. */
  readonly streaming: boolean;
  readonly batch: BatchManifest | null;
  /** JSON Schema where the function's schema can tell it. */
  readonly inputSchema: Readonly<Record<string, unknown>> | null;
  readonly outputSchema: Readonly<Record<string, unknown>> | null;
}

export interface MethodManifest extends CallableManifest {
  /** A path of its own under `/cls/{name}`, besides `/{method}`. */
  readonly route: string | null;
  readonly timeoutMs: number | null | undefined;
}

/** Either `cron` or `everyMs`, never both. */
export interface ScheduleManifest {
  /** Five fields, six with seconds first, or a name such as `@daily`; as its author wrote it. */
  readonly cron: string | null;
  /** Counted from the epoch, so that ticks don't move when the server restarts. */
  readonly everyMs: number | null;
  /** An IANA name, for `cron`. Null: the server's own. */
  readonly timezone: string | null;
  /** At a tick while the task of an earlier one isn't over: no task, a task that waits for it, or one beside it. */
  readonly overlap: "skip" | "queue" | "allow";
  /** Ticks that passed while no server was there: none is made up for, one task stands for all of them, or each has its own (the newest 100). */
  readonly catchUp: "none" | "last" | "all";
}

export interface BatchManifest {
  readonly maxBatchSize: number;
  readonly waitMs: number;
}

/** The URL segment of a kind; the contract's own words. */
export const KIND_SEGMENTS: Readonly<Record<FunctionKind, string>> = {
  endpoint: "endpoint",
  function: "function",
  taskqueue: "taskqueue",
  schedule: "schedule",
  cls: "cls",
};

const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

/** Why a function or app can't have this name; undefined if it can. */
export function describeNameProblem(name: string): string | undefined {
  if (name.toLowerCase() === "id") return `"id" is reserved: choose another name`;
  if (!NAME.test(name)) return `"${name}" is not a name: use letters, digits, - and _, at most 63, beginning with a letter or digit`;
  return undefined;
}

/** A file that travels with the bundle, known by its content. */
export interface CodeFile {
  /** Relative to the code's root, with forward slashes, never leaving it. */
  readonly path: string;
  /** SHA-256 of the content, hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** 0o755 or 0o644. */
  readonly mode: number;
}

/** All that a container's working folder is made of. `codeId` is the hash of the rest. */
export interface CodeObject {
  readonly codeId: string;
  readonly files: readonly CodeFile[];
  /** Path of the bundle in `files`: the module that workers import. */
  readonly entry: string;
  /**
   * Absolute folders on this machine that appear as `node_modules` beside the bundle, for native packages.
   * Only where server and CLI share a disk.
   */
  readonly nodeModules: readonly string[];
}

/** What a code object's id is the SHA-256 of: equal code has equal ids, whoever computes them. */
export function canonicalCode(code: Omit<CodeObject, "codeId">): string {
  return JSON.stringify([code.entry, code.nodeModules, code.files.map((file) => [file.path, file.sha256, file.mode])]);
}
