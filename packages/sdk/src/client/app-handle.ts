import type { CallTarget, CallTransport } from "@samovar/protocol";
import type { CallOptions } from "../handles/handle-types.ts";
import { createRemoteCalls } from "../handles/remote-calls.ts";
import { createScalingHandle, type ScalingHandle } from "../handles/scaling-handle.ts";
import type { AnyFunction } from "./client-types.ts";

/**
 * Handles without definitions: the module is only a type here. What kind a name is shows in how it is called:
 * `name.remote(…)` a function, `name.request(…)` an endpoint, `name.put(…)` a task queue, `name.method.remote(…)` a class.
 */
export function createAppHandle(transport: CallTransport, suffix: string): object {
  return namedProxy((exported) =>
    namedProxy((member) => {
      const name = `${exported}${suffix}`;
      const scaling = createScaling(transport, name);
      if (Object.hasOwn(scaling, member)) return scaling[member as keyof ScalingHandle];
      if (member === "with") return (...parameters: unknown[]) => createMethods(transport, name, parameters);
      const calls = createCalls(transport, { kind: member === "request" ? "endpoint" : "function", name });
      const call = calls[member];
      // A class may have a method of that name: `name.remote` is called itself, `name.remote.remote` is the method's.
      const methodCalls = createCalls(transport, { kind: "cls", name, method: member });
      return call ? Object.assign(call, methodCalls) : methodCalls;
    }),
  );
}

function createMethods(transport: CallTransport, name: string, parameters: readonly unknown[]): object {
  const scaling = createScaling(transport, name);
  return namedProxy((method) =>
    Object.hasOwn(scaling, method) ? scaling[method as keyof ScalingHandle] : createCalls(transport, { kind: "cls", name, method, parameters }),
  );
}

/** Scaling goes by the name alone, whatever kind has it. No class has methods of these names. */
const createScaling = (transport: CallTransport, name: string): ScalingHandle =>
  createScalingHandle({ label: () => name, target: () => ({ kind: "function", name }), transport });

function createCalls(transport: CallTransport, target: CallTarget): Record<string, AnyFunction | undefined> {
  const label = target.method === undefined ? target.name : `${target.name}.${target.method}`;
  // What is queued goes by the name alone, whatever kind has it.
  const calls = createRemoteCalls((method) => ({ call: `${label}.${method}`, target, transport, handleTransport: transport }));
  return {
    ...calls,
    request: (input?: unknown, options?: Partial<CallOptions>) =>
      createRequest(
        () => calls.remote(input, options),
        () => calls.stream(input, options),
      ),
  };
}

/** Whether an endpoint streams is only known by its type: what is awaited is called, what is looped over is streamed. */
function createRequest(call: () => Promise<unknown>, stream: () => AsyncIterable<unknown>): Promise<unknown> & AsyncIterable<unknown> {
  let streamed = false;
  // A microtask later, for a loop asks for its iterator at once.
  const result = Promise.resolve().then(() => (streamed ? undefined : call()));
  return Object.assign(result, {
    [Symbol.asyncIterator]() {
      streamed = true;
      return stream()[Symbol.asyncIterator]();
    },
  });
}

/** A name is made once; a caller that goes through names without end starts over. */
const MAX_KNOWN = 1_000;

/** Every name is there, save the ones by which the language asks an object what it is. */
function namedProxy(create: (name: string) => unknown): object {
  const known = new Map<string, unknown>();
  const find = (name: string): unknown => {
    if (known.has(name)) return known.get(name);
    if (known.size === MAX_KNOWN) known.clear();
    const created = create(name);
    known.set(name, created);
    return created;
  };
  return new Proxy({}, { get: (_, name) => (typeof name === "string" && name !== "then" && name !== "toJSON" ? find(name) : undefined) });
}
