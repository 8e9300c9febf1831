import { SamovarError, type CallableDefinition, type CallTarget } from "@samovar/protocol";
import { requireTransport } from "../runtime.ts";
import type { CallOptions, Inputs, MapOptions } from "./handle-types.ts";
import type { LocalCalls } from "./local-calls.ts";
import { mapInputs } from "./map.ts";
import { createSpawning } from "./queue-handle.ts";

/** What a handle calls. */
export interface Callee {
  /** As it is written, for messages: `square` or `model.predict`. */
  readonly label: () => string;
  /** Throws while the function has no name. */
  readonly target: () => CallTarget;
  readonly callable: CallableDefinition;
  readonly local: LocalCalls;
}

/** The handle of a function or method: `remote`, `map`, `forEach`, `spawn`, `spawnMap` and `local`, or `stream` and `local`. */
export function createCallHandle(callee: Callee): object {
  const { callable, local } = callee;
  const remote = async (input?: unknown, options?: Partial<CallOptions>): Promise<unknown> =>
    requireTransport(`${callee.label()}.remote()`).call(callee.target(), input, options ?? {});
  const stream = (input?: unknown, options?: Partial<CallOptions>): AsyncIterable<unknown> => streamRemote(callee, "stream", input, options);
  const localCall = callable.streaming ? (input?: unknown) => local.stream(callable, input) : (input?: unknown) => local.call(callable, input);
  if (!callable.streaming) {
    return {
      remote,
      // A function that returns a generator without being one is only known by its type; the worker finds out.
      stream,
      map: (inputs: Inputs<unknown>, options?: MapOptions & { returnErrors?: boolean }) =>
        mapInputs(inputs, (input, signal) => remote(input, { signal }), options),
      forEach: async (inputs: Inputs<unknown>, options?: MapOptions): Promise<void> => {
        for await (const _ of mapInputs(inputs, (input, signal) => remote(input, { signal }), { ...options, ordered: false }));
      },
      ...createSpawning(callee),
      local: localCall,
    };
  }
  const refuse = (method: string) => (): never => {
    throw new SamovarError(
      "invalid_definition",
      `${callee.label()} is a generator and has no .${method}(). Write: for await (const item of ${callee.label()}.stream(input)) …`,
    );
  };
  return {
    stream,
    local: localCall,
    remote: refuse("remote"),
    map: refuse("map"),
    forEach: refuse("forEach"),
    spawn: refuse("spawn"),
    spawnMap: refuse("spawnMap"),
  };
}

/** The handle of an endpoint: `request`, `local` and, where it does not stream, `spawn`. */
export function createEndpointHandle(callee: Callee): object {
  const { callable, local } = callee;
  const label = callee.label;
  return {
    request: callable.streaming
      ? (input?: unknown, options?: Partial<CallOptions>) => streamRemote(callee, "request", input, options)
      : async (input?: unknown, options?: Partial<CallOptions>): Promise<unknown> =>
          requireTransport(`${label()}.request()`).call(callee.target(), input, options ?? {}),
    local: callable.streaming ? (input?: unknown) => local.stream(callable, input) : (input?: unknown) => local.call(callable, input),
    ...(callable.streaming ? {} : { spawn: createSpawning(callee).spawn }),
    remote: () => {
      throw new SamovarError("invalid_definition", `${label()} is an endpoint and has no .remote(). Write ${label()}.request(input), or define it with fn(…)`);
    },
  };
}

/** The session is looked up when the stream is read: a handle may be passed around before there is one. */
async function* streamRemote(callee: Callee, method: string, input: unknown, options: Partial<CallOptions> | undefined): AsyncGenerator<unknown> {
  yield* requireTransport(`${callee.label()}.${method}()`).stream(callee.target(), input, options ?? {});
}
