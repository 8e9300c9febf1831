import { SamovarError } from "@samovar/protocol";
import type { PutManyOptions, PutOptions } from "../options/task-options.ts";
import { requireTransport } from "../runtime.ts";
import type { Callee } from "./call-handle.ts";
import type { Inputs } from "./handle-types.ts";
import { putMany, putOne, type PutPlace } from "./put-tasks.ts";
import type { TaskHandle } from "./task-handle.ts";

interface Spawning {
  spawn(input?: unknown, options?: PutOptions): Promise<TaskHandle>;
  spawnMap(inputs: Inputs<unknown>, options?: PutManyOptions<unknown>): Promise<TaskHandle[]>;
}

/** What queues inputs of a function, method, endpoint or schedule. */
export function createSpawning(callee: Callee): Spawning {
  return {
    spawn: async function spawn(input, options) {
      return putOne(placeOf(callee, "spawn"), input, options, spawn);
    },
    spawnMap: async function spawnMap(inputs, options) {
      return putMany(placeOf(callee, "spawnMap"), inputs, options, spawnMap);
    },
  };
}

/** The handle of a task queue: `put`, `putMany` and `local`. */
export function createQueueHandle(callee: Callee): object {
  const { callable, local, label } = callee;
  const refuse = (method: string, instead: string) => (): never => {
    throw new SamovarError("invalid_definition", `${label()} is a task queue and has no .${method}(). Write ${label()}.${instead}, or define it with fn(…)`);
  };
  return {
    put: async function put(input?: unknown, options?: PutOptions) {
      return putOne(placeOf(callee, "put"), input, options, put);
    },
    putMany: async function many(inputs: Inputs<unknown>, options?: PutManyOptions<unknown>) {
      return putMany(placeOf(callee, "putMany"), inputs, options, many);
    },
    local: (input?: unknown) => local.call(callable, input),
    remote: refuse("remote", "put(input), and .get() of what that gives"),
    spawn: refuse("spawn", "put(input)"),
    spawnMap: refuse("spawnMap", "putMany(inputs)"),
    map: refuse("map", "putMany(inputs)"),
  };
}

/** The handle of a schedule: `spawn` and `local`, which run it now. */
export function createScheduleHandle(callee: Callee): object {
  const { spawn } = createSpawning(callee);
  return {
    spawn: (input?: unknown, options?: PutOptions) => spawn(input, options),
    local: (at?: Date) => callee.local.call(callee.callable, at === undefined ? undefined : { tickAtMs: at.getTime() }),
  };
}

const placeOf = (callee: Callee, method: string): PutPlace => {
  const call = `${callee.label()}.${method}`;
  return { call, target: callee.target(), transport: requireTransport(`${call}()`) };
};
