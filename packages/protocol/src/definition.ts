import type { AppManifest, FunctionKind, BatchManifest } from "./manifest.ts";
import type { Phase } from "./lifecycle.ts";
import type { ScalingPatch } from "./options.ts";
import type { SerializedError } from "./errors.ts";
import type { PutTask, PutTaskResult, TaskInfo } from "./task-api.ts";

/**
 * The in-process contract between the SDK (bundled into user code) and whatever loads that bundle: the runner in
 * a container, the CLI when it extracts the manifest. They are separate copies, so they meet at registered symbols.
 */

/** A handle carries its definition under this symbol. */
export const DEFINITION: unique symbol = Symbol.for("samovar.definition") as never;
/** `globalThis[RUNTIME]`: put there before user code is loaded, by what loads it. */
export const RUNTIME: unique symbol = Symbol.for("samovar.runtime") as never;
/** `globalThis[REGISTRY]`: a `Registry`, put there by the SDK in the bundle when it loads. */
export const REGISTRY: unique symbol = Symbol.for("samovar.registry") as never;

export type AnyFunction = (...args: never[]) => unknown;

export interface HookDefinition {
  readonly name: string;
  /** Called with the context; for a class with the instance as `this`. onDeploy hooks of a class are bound to the class. */
  readonly run: (this: unknown, ctx: unknown) => unknown;
  /** onBuild only: what its result depends on beyond its text. */
  readonly key?: readonly unknown[];
}

export interface HookDefinitions {
  readonly onBuild: readonly HookDefinition[];
  readonly onDeploy: readonly HookDefinition[];
  readonly onStart: readonly HookDefinition[];
  readonly onStop: readonly HookDefinition[];
  /** Whether onStart (onDeploy) was written as a list: then `ctx.onStartValue` is a tuple. */
  readonly onStartIsList: boolean;
  readonly onDeployIsList: boolean;
}

/** Standard Schema's validate, reduced to what the worker calls. Null: nothing is checked. */
export type Validate = (value: unknown) => ValidateResult | Promise<ValidateResult>;
export type ValidateResult =
  | { readonly value: unknown; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined }[] };

export interface CallableDefinition {
  /** `(input, ctx)`; for a batch `(inputs, ctx)`; a method is called on its instance. */
  readonly run: (this: unknown, input: never, ctx: never) => unknown;
  readonly streaming: boolean;
  readonly batch: BatchManifest | null;
  readonly validateInput: Validate | null;
  readonly validateOutput: Validate | null;
  readonly timeoutMs?: number | null | undefined;
  /** `retries.on`: whether this error is worth another attempt. Null: every error is. */
  readonly retryOn: ((error: unknown) => boolean) | null;
}

/** What `exported[DEFINITION]` holds: all that a worker needs to serve. */
export interface FunctionDefinition {
  readonly kind: FunctionKind;
  /** Null until the export's name is known. */
  readonly name: string | null;
  readonly hooks: HookDefinitions;
  /** Null for a class. */
  readonly handler: CallableDefinition | null;
  /** Null for the others. */
  readonly cls: ClassDefinition | null;
}

export interface ClassDefinition {
  readonly create: (parameters: readonly unknown[]) => object;
  readonly methods: ReadonlyMap<string, CallableDefinition>;
}

/** What stands at `globalThis[RUNTIME]`. */
export interface Runtime {
  /** True in a container: `env.isRemote()`. */
  readonly remote: boolean;
  /** The context of the hook or input that is running, by async context; undefined outside. */
  context(): object | undefined;
  /** How handles reach the server; null while the manifest is extracted. */
  readonly transport: CallTransport | null;
  /** Local calls (`.local`): runs what registers to be run at exit, such as stop hooks. */
  onExit(run: () => unknown): void;
}

/**
 * What the SDK leaves at `globalThis[REGISTRY]`: every app and definition made while the module loaded. Whatever
 * imports the bundle calls `bind` with the module's namespace before it runs any of the user's code, so that handles know their names.
 */
export interface Registry {
  /** Gives each exported definition its export's name, where it has none of its own. Idempotent. */
  bind(namespace: Readonly<Record<string, unknown>>): void;
  /** Binds, checks the app as a whole and describes it. Throws `invalid_definition` with all mistakes. */
  extract(namespace: Readonly<Record<string, unknown>>, options: ExtractOptions): AppManifest;
}

export interface ExtractOptions {
  /** The app's name if the module makes no `new App(name)`. */
  readonly appName: string;
  /** The module's file, for messages. */
  readonly file: string;
  /** The texts of all modules of the app, as their authors wrote them; without it that of `file`. */
  readonly sources?: () => readonly string[];
}

export interface CallTarget {
  readonly kind: FunctionKind;
  readonly name: string;
  readonly method?: string;
  readonly parameters?: readonly unknown[];
}

/** A whole function: a class with all its methods and constructor arguments. */
export type ScaleTarget = Pick<CallTarget, "kind" | "name">;

export interface CallTransport {
  /** One input, one result. Rejects with the remote error. Retries follow the function's policy. */
  call(target: CallTarget, input: unknown, options: { readonly signal?: AbortSignal }): Promise<unknown>;
  /** One input, many items. Leaving the loop ends the remote generator. */
  stream(target: CallTarget, input: unknown, options: { readonly signal?: AbortSignal }): AsyncIterable<unknown>;
  /** Queues inputs, at most `MAX_PUT_TASKS`; resolves when all of them are on disk, with an id for each, in order. */
  put(target: CallTarget, tasks: readonly PutTask[], options: { readonly signal?: AbortSignal }): Promise<readonly PutTaskResult[]>;
  /** The result of a task of any function, when it is over. Rejects with its error, and with `timeout` when it isn't over in time (which doesn't end it). */
  taskResult(id: string, options: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<unknown>;
  /** Rejects with `not_found` for one that is unknown or no longer kept. */
  taskInfo(id: string): Promise<TaskInfo>;
  /** False: it was over already. */
  cancelTask(id: string): Promise<boolean>;
  /** Changes how a function scales, in all its pools. Resolves when the server took it. */
  scale(target: ScaleTarget, patch: ScalingPatch): Promise<void>;
  /**
   * In a container, for what met nobody at the server's address: resolves when the worker has its server, at once where it does.
   * Rejects when that takes too long, with what marks a call as cut off by it.
   */
  serverIsBack?(signal?: AbortSignal): Promise<void>;
}

export type { Phase, SerializedError };
