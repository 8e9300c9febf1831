import type { CallbackStore } from "./callback-store.ts";
import type { ScheduleStore } from "./schedule-store.ts";
import type { TaskStore } from "./task-store.ts";
import type { ContainerInfo, DeploymentState, FunctionKind, FunctionManifest, ScalingPatch, TokenScope } from "@samovar/protocol";

/**
 * What must last. Every method resolves after the change is on disk (one fsync serves all that gathered meanwhile);
 * `record*` methods are written behind and only lost with the machine. Adapters run one conformance suite.
 */
export interface Storage {
  readonly tokens: TokenStore;
  readonly containers: ContainerStore;
  readonly deployments: DeploymentStore;
  readonly tasks: TaskStore;
  readonly callbacks: CallbackStore;
  readonly schedules: ScheduleStore;
  /** All that was asked before is on disk. */
  flush(): Promise<void>;
  /**
   * Copies all that was acknowledged to a file that isn't there yet, while work goes on; opening the copy restores it.
   * Rejects with `conflict` where there is such a file, and leaves nothing where it fails.
   */
  backup(to: string): Promise<void>;
  close(): Promise<void>;
}

export type Scope = TokenScope;

export interface TokenRecord {
  readonly id: string;
  /** SHA-256 of the token, hex. The token itself is never kept. */
  readonly hash: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Only what belongs to this app; null: all. */
  readonly app: string | null;
  readonly createdAtMs: number;
  /** Worth nothing from then on; null: never. */
  readonly expiresAtMs: number | null;
}

export interface TokenStore {
  insert(token: TokenRecord): Promise<void>;
  list(): Promise<readonly TokenRecord[]>;
  delete(id: string): Promise<boolean>;
}

/** What a later server needs to take a container back, beside its record. */
export interface ReturnFacts {
  /** SHA-256 of the container's own token, hex. The token itself is never kept. */
  readonly tokenHash: string;
  /** The GPUs that it holds, as its driver names them. */
  readonly gpus: readonly string[];
}

export interface LivingContainer {
  readonly info: ContainerInfo;
  /** Null: no later server can take it back. */
  readonly facts: ReturnFacts | null;
}

/** The history of containers: a row is replaced at every change of state, and kept for `retentionMs` after the end. */
export interface ContainerStore {
  /** Facts that were given once stay with the row until others are, or null, or the container has ended. */
  record(container: ContainerInfo, facts?: ReturnFacts | null): void;
  get(id: string): Promise<ContainerInfo | undefined>;
  list(options: { readonly functionId?: string; readonly includeEnded: boolean; readonly limit: number }): Promise<readonly ContainerInfo[]>;
  /** Rows without an end, oldest first: at the start of a server, what the one before it left. */
  living(): Promise<readonly LivingContainer[]>;
  /** Rows that say a container lives, from a server that died: ended with this reason, but for those of `except` (ids). Resolves to how many. */
  endAllLiving(reason: string, atMs: number, except?: ReadonlySet<string>): Promise<number>;
}

/** A function's name on this server. Names are compared in lower case; `name` keeps the spelling of its first deploy. */
export interface DeploymentRecord {
  readonly name: string;
  readonly app: string;
  readonly kind: FunctionKind;
  readonly state: DeploymentState;
  readonly activeVersion: number;
  readonly scaling: ScalingPatch;
}

/** One immutable version of a deployment: all that is needed to serve it again after a restart. */
export interface VersionRecord {
  readonly name: string;
  readonly version: number;
  readonly functionId: string;
  readonly deployId: string;
  readonly deployedAtMs: number;
  /** The app that deployed it, which need not be the name's owner any more. */
  readonly app: string;
  readonly manifest: FunctionManifest;
  /** Names and ids of the functions of the same deploy. */
  readonly functionIds: Readonly<Record<string, string>>;
  readonly code: StoredCode;
  /** Code on top of what onBuild left, by the constructor arguments it was built with (canonical JSON). */
  readonly builtCode: Readonly<Record<string, StoredCode>>;
  /** JSON. */
  readonly onDeployValue: unknown;
}

/** A code folder, by the id that it is kept under. */
export interface StoredCode {
  readonly codeId: string;
  readonly entry: string;
  readonly nodeModules: readonly string[];
}

/**
 * Deployments and their versions. A deploy is `begin` (numbers are given, and never given again, whatever becomes of
 * it), then `activate` or nothing: what was only begun does not exist after a restart.
 */
export interface DeploymentStore {
  load(): Promise<{ readonly deployments: readonly DeploymentRecord[]; readonly versions: readonly VersionRecord[] }>;
  /** The next version of each name, in order. A name that is deployed has the last number it gave plus one; after `remove` it starts at 1. */
  begin(names: readonly string[]): Promise<readonly number[]>;
  /**
   * In one transaction: keeps the versions, makes each the active one of its name, which belongs to `app` from now on,
   * is `active` and has no scaling; and gives `pruned` names the state `stopped`.
   */
  activate(app: string, versions: readonly VersionRecord[], pruned: readonly string[]): Promise<void>;
  /** In one transaction: these versions are the active ones of their names. Rejects with `not_found` when one is not kept. */
  setActive(changes: readonly { readonly name: string; readonly version: number }[]): Promise<void>;
  setState(name: string, state: DeploymentState): Promise<void>;
  setScaling(name: string, scaling: ScalingPatch): Promise<void>;
  /** False when there was none. The active version is refused with `conflict`. */
  removeVersion(name: string, version: number): Promise<boolean>;
  /** In one transaction: the name with all versions, and what is kept of its schedule. False when there was none. */
  remove(name: string): Promise<boolean>;
}
