import type { PutManyOptions, PutOptions } from "../options/task-options.ts";
import type { CallOptions, Inputs, MapOptions } from "./handle-types.ts";
import { mapInputs } from "./map.ts";
import { putMany, putOne, type PutPlace } from "./put-tasks.ts";
import type { TaskHandle } from "./task-handle.ts";

/** Where a call of that method goes, asked for at each call: a handle may be there before its function has a name or a session. */
export type Reach = (method: string) => PutPlace;

export interface RemoteCalls {
  remote(input?: unknown, options?: Partial<CallOptions>): Promise<unknown>;
  stream(input?: unknown, options?: Partial<CallOptions>): AsyncGenerator<unknown>;
  map(inputs: Inputs<unknown>, options?: MapOptions & { returnErrors?: boolean }): AsyncIterable<unknown>;
  forEach(inputs: Inputs<unknown>, options?: MapOptions): Promise<void>;
  spawn(input?: unknown, options?: PutOptions): Promise<TaskHandle>;
  spawnMap(inputs: Inputs<unknown>, options?: PutManyOptions<unknown>): Promise<TaskHandle[]>;
  put(input?: unknown, options?: PutOptions): Promise<TaskHandle>;
  putMany(inputs: Inputs<unknown>, options?: PutManyOptions<unknown>): Promise<TaskHandle[]>;
}

/** Everything that a handle can do at a server. Which of it a kind has is its handle's to say. */
export function createRemoteCalls(reach: Reach): RemoteCalls {
  const remote = async (input?: unknown, options?: Partial<CallOptions>): Promise<unknown> => {
    const { transport, target } = reach("remote");
    return transport.call(target, input, options ?? {});
  };
  return {
    remote,
    async *stream(input, options) {
      const { transport, target } = reach("stream");
      yield* transport.stream(target, input, options ?? {});
    },
    map: (inputs, options) => mapInputs(inputs, (input, signal) => remote(input, { signal }), options),
    async forEach(inputs, options) {
      for await (const _ of mapInputs(inputs, (input, signal) => remote(input, { signal }), { ...options, ordered: false }));
    },
    spawn: async function spawn(input, options) {
      return putOne(reach("spawn"), input, options, spawn);
    },
    spawnMap: async function spawnMap(inputs, options) {
      return putMany(reach("spawnMap"), inputs, options, spawnMap);
    },
    put: async function put(input, options) {
      return putOne(reach("put"), input, options, put);
    },
    putMany: async function many(inputs, options) {
      return putMany(reach("putMany"), inputs, options, many);
    },
  };
}
