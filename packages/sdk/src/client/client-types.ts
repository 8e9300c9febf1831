export type AnyFunction = (...args: any[]) => any;

/** What of a module callers elsewhere can call, without what only its own process can do. */
export type Remote<M> = {
  readonly [
    K in keyof M as M[K] extends
      | { remote: AnyFunction }
      | { stream: AnyFunction }
      | { request: AnyFunction }
      | { put: AnyFunction }
      | { spawn: AnyFunction }
      | { with: AnyFunction }
      ? K
      : never
  ]: M[K];
};
