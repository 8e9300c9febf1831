import type { CallableDefinition, CallTarget } from "@samovar/protocol";
import { requireTransport } from "../runtime.ts";
import type { CallOptions } from "./handle-types.ts";
import type { LocalCalls } from "./local-calls.ts";
import type { PutPlace } from "./put-tasks.ts";
import { createRefusals } from "./refusals.ts";
import { createRemoteCalls, type Reach } from "./remote-calls.ts";

/** What a handle calls. */
export interface Callee {
  /** As it is written, for messages: `square` or `model.predict`. */
  readonly label: () => string;
  /** Throws while the function has no name. */
  readonly target: () => CallTarget;
  readonly callable: CallableDefinition;
  readonly local: LocalCalls;
}

/** In the session there is when it is called. Throws `no_session` where there is none. */
export function reachOf({ label, target }: Callee): Reach {
  return (method): PutPlace => {
    const call = `${label()}.${method}`;
    return { call, transport: requireTransport(`${call}()`), target: target() };
  };
}

/** The handle of a function or method: `remote`, `map`, `forEach`, `spawn`, `spawnMap` and `local`, or `stream` and `local`. */
export function createCallHandle(callee: Callee): object {
  const { callable, local, label } = callee;
  const { put: _put, putMany: _putMany, ...calls } = createRemoteCalls(reachOf(callee));
  if (callable.streaming) return { ...createRefusals("generator", label), stream: calls.stream, local: (input?: unknown) => local.stream(callable, input) };
  // `stream` too: a function that returns a generator without being one is only known by its type; the worker finds out.
  return { ...createRefusals("function", label), ...calls, local: (input?: unknown) => local.call(callable, input) };
}

/** The handle of an endpoint: `request`, `local` and, where it does not stream, `spawn`. */
export function createEndpointHandle(callee: Callee): object {
  const { callable, local, label } = callee;
  const reach = reachOf(callee);
  if (callable.streaming) {
    return {
      ...createRefusals("streamingEndpoint", label),
      request: async function* (input?: unknown, options?: Partial<CallOptions>): AsyncGenerator<unknown> {
        const { transport, target } = reach("request");
        yield* transport.stream(target, input, options ?? {});
      },
      local: (input?: unknown) => local.stream(callable, input),
    };
  }
  return {
    ...createRefusals("endpoint", label),
    request: async (input?: unknown, options?: Partial<CallOptions>): Promise<unknown> => {
      const { transport, target } = reach("request");
      return transport.call(target, input, options ?? {});
    },
    spawn: createRemoteCalls(reach).spawn,
    local: (input?: unknown) => local.call(callable, input),
  };
}
