import { parseQueueName, type FunctionRuntime } from "@samovar/scheduler";
import type { FunctionRegistry } from "../apps/function-registry.ts";
import { versionQueue } from "./serving.ts";

/**
 * The queues whose tasks somebody takes, or takes when it is started again, and who that is: of each session its own, of each
 * deployment one, and one for each version that may be called beside the active one.
 */
export function toServedBases(registry: Pick<FunctionRegistry, "list" | "holder" | "byKey">): ReadonlyMap<string, FunctionRuntime> {
  const bases = new Map<string, FunctionRuntime>();
  for (const runtime of registry.list()) {
    const { name, version, queue, spec } = runtime;
    const holder = spec.session === null ? registry.holder(name) : runtime;
    if (holder) bases.set(queue, holder);
    if (spec.session === null && registry.byKey(name, version) === runtime) bases.set(versionQueue(runtime), runtime);
  }
  return bases;
}

/** Why nobody takes tasks of this queue, and what could be done about it. `by`: who would; undefined: nobody. */
export function describeUnserved(queue: string, name: string, by: FunctionRuntime | undefined, embedded: boolean): string {
  const { session, version } = parseQueueName(queue);
  if (by) return `${name} is stopped: samovar deployment start ${name}`;
  if (session !== null) return `nobody serves ${name} any more: the session that did is over, and what it left is run by no other`;
  if (embedded) return `${name} is served by a server that stays: samovar up`;
  if (version !== null) return `version ${version} of ${name} was deleted, and the task is for that one alone`;
  return `nothing is deployed as ${name} any more: deploy it again`;
}
