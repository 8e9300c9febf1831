import type { CallTarget, CallTransport } from "@samovar/protocol";
import type { CallOptions, Inputs, MapOptions } from "../handles/handle-types.ts";
import { mapInputs } from "../handles/map.ts";
import { putMany, putOne } from "../handles/put-tasks.ts";
import { createScalingHandle, type ScalingHandle } from "../handles/scaling-handle.ts";
import type { PutManyOptions, PutOptions } from "../options/task-options.ts";
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
  const remote = async (input?: unknown, options?: Partial<CallOptions>): Promise<unknown> => transport.call(target, input, options ?? {});
  // What is queued goes by the name alone, whatever kind has it.
  const place = (method: string) => ({
    call: `${target.name}.${target.method === undefined ? "" : `${target.method}.`}${method}`,
    target,
    transport,
    handleTransport: transport,
  });
  return {
    remote,
    spawn: async function spawn(input?: unknown, options?: PutOptions) {
      return putOne(place("spawn"), input, options, spawn);
    },
    spawnMap: async function spawnMap(inputs: Inputs<unknown>, options?: PutManyOptions<unknown>) {
      return putMany(place("spawnMap"), inputs, options, spawnMap);
    },
    put: async function put(input?: unknown, options?: PutOptions) {
      return putOne(place("put"), input, options, put);
    },
    putMany: async function many(inputs: Inputs<unknown>, options?: PutManyOptions<unknown>) {
      return putMany(place("putMany"), inputs, options, many);
    },
    stream: (input?: unknown, options?: Partial<CallOptions>) => transport.stream(target, input, options ?? {}),
    map: (inputs: Inputs<unknown>, options?: MapOptions & { returnErrors?: boolean }) =>
      mapInputs(inputs, (input, signal) => remote(input, { signal }), options),
    forEach: async (inputs: Inputs<unknown>, options?: MapOptions) => {
      for await (const _ of mapInputs(inputs, (input, signal) => remote(input, { signal }), { ...options, ordered: false }));
    },
    request: (input?: unknown, options?: Partial<CallOptions>) =>
      createRequest(
        () => remote(input, options),
        () => transport.stream(target, input, options ?? {}),
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
