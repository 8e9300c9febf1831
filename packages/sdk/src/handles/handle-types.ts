import type { Generated, InputArgs } from "../definitions/callable-types.ts";
import type { PutManyOptions, PutOptions } from "../options/task-options.ts";
import type { TaskHandle } from "./task-handle.ts";

export interface CallOptions {
  /** Aborting it cancels the call. */
  readonly signal: AbortSignal;
}

export interface MapOptions {
  /** Calls under way at a time. Default 32. */
  readonly concurrency?: number;
  /** Results in the order of the inputs (default), or each as soon as it is there. */
  readonly ordered?: boolean;
  /** Aborting it cancels what is under way and ends the iteration with its reason. */
  readonly signal?: AbortSignal;
}

export type Inputs<T> = Iterable<T> | AsyncIterable<T>;

/** The input and what stands behind it, also where there is no input. */
export type ArgsWith<A extends unknown[], Options> = A extends [] ? [input?: undefined, options?: Options] : [...A, options?: Options];

/** A function or method with one result. */
export interface UnaryHandle<A extends unknown[], O> {
  /** Calls it on the server and gives its result; throws what it threw, with name, message, cause and remote stack. */
  remote(...args: ArgsWith<A, CallOptions>): Promise<O>;
  /**
   * Queues the call and gives a handle to it, as soon as it is on the server's disk: it is done whatever becomes of this
   * process, and again where its container is lost.
   *
   * @example
   * const task = await render.spawn({ page: 7 }, { idempotencyKey: "page-7" });
   * const page = await task.get({ timeout: "5m" });
   */
  spawn(...args: ArgsWith<A, PutOptions>): Promise<TaskHandle<O>>;
  /**
   * Queues a call for each input. What one request takes (1,000 inputs, or less where they are large) is queued together or
   * not at all; where a later request fails, the error's `fields.taskIds` are those that were queued before.
   */
  spawnMap(inputs: Inputs<A[0]>, options?: PutManyOptions<A[0]>): Promise<TaskHandle<O>[]>;
  /**
   * Calls it for each input, at most `concurrency` at a time, and reads inputs only as fast as results are taken.
   * The first error ends it, unless `returnErrors` has errors take the place of results.
   *
   * @example
   * for await (const page of fetchPage.map(urls, { concurrency: 8 })) console.log(page.title);
   */
  map(inputs: Inputs<A[0]>, options?: MapOptions & { readonly returnErrors?: false }): AsyncIterable<O>;
  map(inputs: Inputs<A[0]>, options: MapOptions & { readonly returnErrors: true }): AsyncIterable<O | Error>;
  /** Calls it for each input and waits for all; throws the first error. */
  forEach(inputs: Inputs<A[0]>, options?: Omit<MapOptions, "ordered">): Promise<void>;
  /** Calls it in this process: start hooks run once before the first call, stop hooks at exit. */
  local(...args: A): Promise<O>;
}

/** A generator. */
export interface StreamingHandle<A extends unknown[], Y> {
  /** Calls it on the server; leaving the loop ends the remote generator. */
  stream(...args: ArgsWith<A, CallOptions>): AsyncIterable<Y>;
  /** Runs it in this process: start hooks run once before the first call, stop hooks at exit. */
  local(...args: A): AsyncIterable<Y>;
}

export type FunctionHandle<A extends unknown[], R, O> = R extends Generated<unknown> ? StreamingHandle<A, O> : UnaryHandle<A, O>;

export interface UnaryEndpointHandle<A extends unknown[], O> {
  /** Calls the endpoint over HTTP and gives its result; throws what it threw. */
  request(...args: ArgsWith<A, CallOptions>): Promise<O>;
  /** Queues the call and gives a handle to it, as soon as it is on the server's disk. */
  spawn(...args: ArgsWith<A, PutOptions>): Promise<TaskHandle<O>>;
  /** Calls it in this process: start hooks run once before the first call, stop hooks at exit. */
  local(...args: A): Promise<O>;
}

export interface StreamingEndpointHandle<A extends unknown[], Y> {
  /** Calls the endpoint over HTTP; leaving the loop ends the remote generator. */
  request(...args: ArgsWith<A, CallOptions>): AsyncIterable<Y>;
  /** Runs it in this process: start hooks run once before the first call, stop hooks at exit. */
  local(...args: A): AsyncIterable<Y>;
}

export type EndpointHandle<In, R, O> = R extends Generated<unknown> ? StreamingEndpointHandle<InputArgs<In>, O> : UnaryEndpointHandle<InputArgs<In>, O>;

/** A task queue. */
export interface QueueHandle<A extends unknown[], O> {
  /**
   * Queues one input and gives a handle to its task, as soon as it is on the server's disk.
   *
   * @example
   * await orders.put({ id: 7 }, { idempotencyKey: "order-7", delay: "10m" });
   */
  put(...args: ArgsWith<A, PutOptions>): Promise<TaskHandle<O>>;
  /**
   * Queues many. What one request takes (1,000 inputs, or less where they are large) is queued together or not at all; where
   * a later request fails, the error's `fields.taskIds` are those that were queued before. Options are the same for all, or
   * a function gives each its own.
   *
   * @example
   * await orders.putMany(list, (order) => ({ concurrencyKey: order.customer }));
   */
  putMany(inputs: Inputs<A[0]>, options?: PutManyOptions<A[0]>): Promise<TaskHandle<O>[]>;
  /** Calls the handler in this process: start hooks run once before the first call, stop hooks at exit. */
  local(...args: A): Promise<O>;
}

/** A schedule. */
export interface ScheduleHandle<O> {
  /** Runs it now, beside its ticks, and gives a handle to that task. */
  spawn(input?: undefined, options?: PutOptions): Promise<TaskHandle<O>>;
  /** Runs it in this process, as at the tick of `at` (default: now): start hooks run once before the first call, stop hooks at exit. */
  local(at?: Date): Promise<O>;
}
