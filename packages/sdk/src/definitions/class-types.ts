import type { Batch, IsBatch } from "../batch.ts";
import type { CommonOptions } from "../options/option-types.ts";
import type { FunctionHandle, UnaryHandle } from "../handles/handle-types.ts";
import type { ScalingHandle } from "../handles/scaling-handle.ts";
import type { BatchItem, Item } from "./callable-types.ts";

type AnyFunction = (...args: any[]) => any;
export type AnyClass = new (...args: any[]) => object;

/** The one input of a method, without its context. */
type MethodInput<A extends readonly unknown[]> = A extends []
  ? []
  : A extends [infer X, ...unknown[]]
    ? [input: X]
    : A extends [(infer X)?, ...unknown[]]
      ? [input?: X]
      : never;

/** The handle of a method. */
export type MethodHandle<F> = F extends (...args: infer A) => infer R
  ? IsBatch<A[0]> extends true
    ? A[0] extends Batch<infer T>
      ? UnaryHandle<[input: T], BatchItem<R>>
      : never
    : FunctionHandle<MethodInput<A>, R, Item<R>>
  : never;

/** A class's public methods, as callers see them. */
export type MethodHandles<T> = { readonly [K in keyof T as T[K] extends AnyFunction ? K : never]: MethodHandle<T[K]> };

type WithParameters<C extends AnyClass, M> = {
  /** The same class with these constructor arguments (JSON); each set of arguments has containers of its own. */
  with(...args: ConstructorParameters<C>): M & ScalingHandle;
} & ScalingHandle &
  ([] extends ConstructorParameters<C> ? M : unknown);

/** What `app.cls` returns for a class with decorators. */
export type ClassHandle<C extends AnyClass> = WithParameters<C, MethodHandles<InstanceType<C>>>;
/** What `app.cls` returns for a class whose methods are listed. */
export type ListedClassHandle<C extends AnyClass, M extends PropertyKey> = WithParameters<
  C,
  { readonly [K in M & keyof InstanceType<C>]: MethodHandle<InstanceType<C>[K]> }
>;

export interface ClassOptions extends CommonOptions {
  /** Default: the name of the export. Letters, digits, `-` and `_`, at most 63. */
  readonly name?: string;
}

export type MethodNames<T> = { [K in keyof T]: T[K] extends AnyFunction ? K : never }[keyof T] & string;
type HookNames<T> = { [K in keyof T]: T[K] extends (ctx: any) => unknown ? K : never }[keyof T] & string;

/** The form without decorators: methods and hooks by their names. */
export interface ListedClassOptions<C extends AnyClass, M extends string> extends ClassOptions {
  /** The methods that callers may call. */
  readonly methods: readonly M[];
  readonly onBuild?: readonly (
    | Exclude<HookNames<InstanceType<C>>, M>
    | { readonly run: Exclude<HookNames<InstanceType<C>>, M>; readonly key?: readonly unknown[] }
  )[];
  /** Names of static methods. */
  readonly onDeploy?: readonly Exclude<HookNames<C>, "prototype">[];
  readonly onStart?: readonly Exclude<HookNames<InstanceType<C>>, M>[];
  readonly onStop?: readonly Exclude<HookNames<InstanceType<C>>, M>[];
}

/** What only a class with parameters has. */
export interface BuildOptions<C extends AnyClass> {
  /**
   * Constructor arguments to run `onBuild` with, once for each list; their containers find what that build wrote.
   * Default: once, with the default arguments.
   *
   * @example
   * app.cls(Model, { build: [["small"], ["large"]] });
   */
  readonly build?: readonly Readonly<ConstructorParameters<C>>[];
}

/** `app.cls`, in both forms. */
export interface DefineClass {
  <C extends AnyClass, const M extends MethodNames<InstanceType<C>>>(Class: C, options: ListedClassOptions<C, M> & BuildOptions<C>): ListedClassHandle<C, M>;
  <C extends AnyClass>(Class: C, options?: ClassOptions & BuildOptions<C>): ClassHandle<C>;
}
