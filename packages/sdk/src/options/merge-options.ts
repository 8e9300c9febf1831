import { tellsGpuCount } from "./gpu-option.ts";
import type { RawOptions } from "./mistakes.ts";
import { tellsAllow } from "./network-option.ts";
import { readEnv } from "./option-table.ts";
import { isPlainObject } from "./parse-values.ts";

/** Spellings of one thing: a function that uses one of them has said it all, and an app's default for the others gives way. */
const SPELLINGS: readonly (readonly string[])[] = [
  ["scaledownWindow", "keepWarmSeconds"],
  ["autoscaler", "minContainers"],
  ["autoscaler", "maxContainers"],
  ["autoscaler", "tasksPerContainer"],
  ["taskPolicy", "retries"],
  ["taskPolicy", "timeout"],
  ["taskPolicy", "ttl"],
];

/** Options that say what another one says only by some of their values. */
const SAYS_ALSO: readonly (readonly [option: string, other: string, says: (value: unknown) => boolean])[] = [
  ["gpu", "gpuCount", tellsGpuCount],
  ["network", "allow", tellsAllow],
];

/** An app's defaults under a function's own options. `env` is put together, the rest replaces. */
export function mergeOptions(defaults: RawOptions, own: RawOptions): RawOptions {
  const merged: Record<string, unknown> = { ...own };
  for (const [key, value] of Object.entries(defaults)) {
    if (key === "env") merged.env = own.env === undefined ? value : { ...readEnv(value), ...readEnv(own.env) };
    else if (key === "network" && own.network === undefined && own.allow !== undefined) merged.network = withoutAllow(value);
    else if (own[key] === undefined && !isSaid(key, own)) merged[key] = value;
  }
  return merged;
}

const isSaid = (key: string, own: RawOptions): boolean =>
  SPELLINGS.some((group) => group.includes(key) && group.some((other) => own[other] !== undefined)) ||
  SAYS_ALSO.some(([option, other, says]) => other === key && own[option] !== undefined && says(own[option]));

/** A function's own list stands in the place of the app's. */
function withoutAllow(network: unknown): unknown {
  if (!isPlainObject(network)) return network;
  const { allow: _, ...rest } = network;
  return rest;
}
