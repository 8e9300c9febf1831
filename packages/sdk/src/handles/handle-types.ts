import type { Generated, InputArgs } from "../definitions/callable-types.ts";

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

/** A function or method with one result. */
export interface UnaryHandle<A extends unknown[], O> {
  /** Calls it on the server and gives its result; throws what it threw, with name, message, cause and remote stack. */
  remote(...args: [...A, options?: CallOptions]): Promise<O>;
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
  stream(...args: [...A, options?: CallOptions]): AsyncIterable<Y>;
  /** Runs it in this process: start hooks run once before the first call, stop hooks at exit. */
  local(...args: A): AsyncIterable<Y>;
}

export type FunctionHandle<A extends unknown[], R, O> = R extends Generated<unknown> ? StreamingHandle<A, O> : UnaryHandle<A, O>;

export interface UnaryEndpointHandle<A extends unknown[], O> {
  /** Calls the endpoint over HTTP and gives its result; throws what it threw. */
  request(...args: [...A, options?: CallOptions]): Promise<O>;
  /** Calls it in this process: start hooks run once before the first call, stop hooks at exit. */
  local(...args: A): Promise<O>;
}

export interface StreamingEndpointHandle<A extends unknown[], Y> {
  /** Calls the endpoint over HTTP; leaving the loop ends the remote generator. */
  request(...args: [...A, options?: CallOptions]): AsyncIterable<Y>;
  /** Runs it in this process: start hooks run once before the first call, stop hooks at exit. */
  local(...args: A): AsyncIterable<Y>;
}

export type EndpointHandle<In, R, O> = R extends Generated<unknown> ? StreamingEndpointHandle<InputArgs<In>, O> : UnaryEndpointHandle<InputArgs<In>, O>;
