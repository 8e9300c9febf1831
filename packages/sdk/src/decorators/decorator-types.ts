import type { Duration } from "@samovar/protocol";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Batch } from "../batch.ts";
import type { MaybePromise } from "../definitions/callable-types.ts";
import type { BuildCtx, Ctx, DeployCtx, StartCtx, StopCtx } from "../context.ts";
import type { BatchOptions } from "../options/option-types.ts";

declare const message: unique symbol;
/** A type that nothing has, so that the compiler's error shows its text. */
type Refused<Text extends string> = { [message]: Text };

type AnyFunction = (...args: any[]) => any;

type Public<This, N, P extends boolean> = P extends true
  ? Refused<"@method() can't be #private">
  : N extends keyof This
    ? unknown
    : Refused<"@method() must be public: public methods are what callers see">;
type Hidden<This, N, P extends boolean> = P extends true
  ? unknown
  : N extends keyof This
    ? Refused<"A hook must be protected (or #private): public methods are what callers see">
    : unknown;

type MethodContext<This, W extends AnyFunction, N, P extends boolean> = ClassMethodDecoratorContext<This, W> & { name: N; private: P; static: false } & Public<
    This,
    N,
    P
  >;

type MethodDecorator<V extends AnyFunction> = <This, W extends V, const N extends string | symbol, P extends boolean>(
  value: W,
  context: MethodContext<This, W, N, P>,
) => void;

export interface MethodOptions {
  /** A path of its own under `/cls/{name}`, besides `/{method}`. */
  readonly route?: `/${string}`;
  /** How long one attempt may take, 1 s to 24 h; -1: no limit. Default: the class's. */
  readonly timeout?: Duration;
  /** Checks and converts the input in the worker: any Standard Schema. */
  readonly input?: StandardSchemaV1<any, any>;
  /** Checks and converts the output in the worker. */
  readonly output?: StandardSchemaV1<any, any>;
}

export interface DefineMethod {
  (options: MethodOptions & { readonly batch: BatchOptions }): MethodDecorator<(inputs: Batch<any>, ctx: Ctx) => MaybePromise<readonly unknown[]>>;
  (options?: MethodOptions): MethodDecorator<(input: any, ctx: Ctx) => any>;
}

/**
 * The context a hook's parameter may be declared with: its own type, or `Ctx`, which knows more than a hook is given.
 * Decorators can't type a parameter, so both spellings have to be let in.
 */
type HookMethod<This, C> = (this: This, ctx: C & Ctx) => unknown;

export type HookDecorator<C> = <This, const N extends string | symbol, P extends boolean>(
  value: HookMethod<This, C>,
  context: ClassMethodDecoratorContext<This, HookMethod<This, C>> & { name: N; private: P; static: false } & Hidden<This, N, P>,
) => void;

export type StaticHookDecorator<C> = <This>(
  value: HookMethod<This, C>,
  context: ClassMethodDecoratorContext<This, HookMethod<This, C>> & { static: true },
) => void;

export type OnBuild = (options?: { readonly key?: readonly unknown[] }) => HookDecorator<BuildCtx>;
export type OnDeploy = () => StaticHookDecorator<DeployCtx>;
export type OnStart = (options?: { readonly snapshot?: boolean }) => HookDecorator<StartCtx>;
export type OnStop = () => HookDecorator<StopCtx>;
