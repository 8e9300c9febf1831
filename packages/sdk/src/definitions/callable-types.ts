import type { StandardSchemaV1 as Schema } from "@standard-schema/spec";
import type { Batch, BatchError } from "../batch.ts";
import type { BuildCtx, Ctx, DeployCtx, ScheduleCtx, StartCtx, StopCtx } from "../context.ts";
import type { EndpointHandle, FunctionHandle, QueueHandle, ScheduleHandle } from "../handles/handle-types.ts";
import type { ScalingHandle } from "../handles/scaling-handle.ts";
import type { BatchOptions, CommonOptions } from "../options/option-types.ts";
import type { ScheduleTimes } from "../options/schedule-options.ts";

export type MaybePromise<T> = T | Promise<T>;
export type Generated<Y> = AsyncGenerator<Y, unknown, never> | Generator<Y, unknown, never>;

export type Hook<C, V> = (ctx: C) => MaybePromise<V>;
export type Hooks<C> = readonly Hook<C, unknown>[];
export type BuildHook = Hook<BuildCtx, unknown> | { readonly run: Hook<BuildCtx, unknown>; readonly key?: readonly unknown[] };

/** The value of one hook, or the tuple of a list's values. A list's length is only known when there is one. */
export type HookValue<V, L extends readonly unknown[]> = number extends L["length"]
  ? V
  : { -readonly [K in keyof L]: L[K] extends (...args: never[]) => infer R ? Awaited<R> : never };

type AnyHooks = readonly Hook<never, unknown>[];

/** What every kind with one handler takes beside its input. O: what the handler returns; Out: what callers get. */
export interface HandlerOptions<O, Out, S, SL extends AnyHooks, D, DL extends AnyHooks> extends CommonOptions {
  /** Default: the name of the export. Letters, digits, `-` and `_`, at most 63. */
  readonly name?: string;
  /** Checks and converts the output (of a generator: each item) in the worker. */
  readonly output?: Schema<O, Out>;
  /** Runs once per image content, while it is built. `key`: what the result depends on beyond the hook's text. */
  readonly onBuild?: BuildHook | readonly BuildHook[];
  /** Runs once per deployed version, before any worker of it. Returns JSON: `ctx.onDeployValue`. */
  readonly onDeploy?: Hook<DeployCtx, D> | readonly [...DL];
  /** Runs once per worker before its first input. What it returns stays in the worker: `ctx.onStartValue`. */
  readonly onStart?: Hook<StartCtx<HookValue<D, DL>>, S> | readonly [...SL];
  /** Runs once per worker after its last input, if its start hooks completed. */
  readonly onStop?: Hook<StopCtx<HookValue<S, SL>, HookValue<D, DL>>, unknown> | readonly Hook<StopCtx<HookValue<S, SL>, HookValue<D, DL>>, unknown>[];
}

/** Options of `endpoint`, `fn` and `taskQueue`. I: what the handler gets; In: what callers pass (they differ when a schema transforms). */
export interface CallableOptions<I, In, O, Out, S, SL extends AnyHooks, D, DL extends AnyHooks> extends HandlerOptions<O, Out, S, SL, D, DL> {
  /** Checks and converts the input in the worker: any Standard Schema. */
  readonly input?: Schema<In, I>;
}

/** Options of `schedule`. */
export type ScheduleOptions<O, Out, S, SL extends AnyHooks, D, DL extends AnyHooks> = HandlerOptions<O, Out, S, SL, D, DL> & ScheduleTimes;

/** What a caller gets of what a handler returns. */
export type Item<R> = R extends Generated<infer Y> ? Y : Exclude<Awaited<R>, Response>;
/** What one caller gets of what a batch handler returns. */
export type BatchItem<R> = Awaited<R> extends readonly (infer Y)[] ? Exclude<Y, Error> : never;
/** The arguments of a call with this input. */
export type InputArgs<I> = unknown extends I ? [input?: unknown] : undefined extends I ? [input?: I] : [input: I];

/** The common two parameters of `endpoint`, `fn` and `taskQueue`, in their plain and batching form. */
export interface Define<Kind extends "endpoint" | "function" | "taskqueue"> {
  <
    I,
    R extends MaybePromise<readonly (O | BatchError)[]>,
    S = undefined,
    SL extends readonly Hook<StartCtx<any>, unknown>[] = readonly Hook<StartCtx<any>, unknown>[],
    D = undefined,
    DL extends Hooks<DeployCtx> = Hooks<DeployCtx>,
    In = I,
    O = unknown,
    Out = BatchItem<R>,
  >(
    options: CallableOptions<I, In, O, Out, S, SL, D, DL> & { readonly batch: BatchOptions },
    handler: (inputs: Batch<I>, ctx: Ctx<HookValue<S, SL>, HookValue<D, DL>>) => R,
  ): HandleOf<Kind, In, unknown, Out>;
  <
    I,
    R extends MaybePromise<O | Response> | Generated<O>,
    S = undefined,
    SL extends readonly Hook<StartCtx<any>, unknown>[] = readonly Hook<StartCtx<any>, unknown>[],
    D = undefined,
    DL extends Hooks<DeployCtx> = Hooks<DeployCtx>,
    In = I,
    O = unknown,
    Out = Item<R>,
  >(
    options: CallableOptions<I, In, O, Out, S, SL, D, DL>,
    handler: (input: I, ctx: Ctx<HookValue<S, SL>, HookValue<D, DL>>) => R,
  ): HandleOf<Kind, In, R, Out>;
}

type HandleOf<Kind, In, R, Out> = (Kind extends "endpoint"
  ? EndpointHandle<In, R, Out>
  : Kind extends "function"
    ? FunctionHandle<InputArgs<In>, R, Out>
    : R extends Generated<unknown>
      ? never
      : QueueHandle<InputArgs<In>, Out>) &
  ScalingHandle;

/** `taskQueue`: as `fn`, or with the handler alone. */
export interface DefineQueue extends Define<"taskqueue"> {
  <I, R>(handler: (input: I, ctx: Ctx<undefined, undefined>) => R): HandleOf<"taskqueue", I, R, Item<R>>;
}

/** `schedule`: its handler has one parameter. */
export interface DefineSchedule {
  <
    R extends MaybePromise<O>,
    S = undefined,
    SL extends readonly Hook<StartCtx<any>, unknown>[] = readonly Hook<StartCtx<any>, unknown>[],
    D = undefined,
    DL extends Hooks<DeployCtx> = Hooks<DeployCtx>,
    O = unknown,
    Out = Item<R>,
  >(
    options: ScheduleOptions<O, Out, S, SL, D, DL>,
    handler: (ctx: ScheduleCtx<HookValue<S, SL>, HookValue<D, DL>>) => R,
  ): (R extends Generated<unknown> ? never : ScheduleHandle<Out>) & ScalingHandle;
}
