import { canonicalJson } from "../canonical-json.ts";

/**
 * How the store calls a task queue: `[session/]name[@version][arguments]`, such as `resize`, `resize@3` (for that
 * version alone), `ss_…/resize` (of a session) or `model["large"]` (for a class with these constructor arguments). What
 * comes before the arguments is its base: what one version of a function serves. Names have none of `/`, `@` and `[`.
 */
export interface QueueName {
  readonly base: string;
  /** The base for whichever version is active: without its own version. */
  readonly sharedBase: string;
  /** Null: its function is deployed. */
  readonly session: string | null;
  /** Of the function, in lower case. */
  readonly name: string;
  /** Null: it goes from version to version. */
  readonly version: number | null;
  /** Constructor arguments, as canonical JSON. */
  readonly parameters: string;
}

export function toQueueName(base: string, parameters: readonly unknown[]): string {
  return parameters.length === 0 ? base : base + canonicalJson(parameters);
}

/** Of what is queued for one version, beside what is for the active one. */
export function toVersionBase(sharedBase: string, version: number): string {
  return `${sharedBase}@${version}`;
}

export function parseQueueName(queue: string): QueueName {
  const base = queue.split("[", 1)[0]!;
  const [sharedBase, version] = base.split("@") as [string, string?];
  const slash = sharedBase.indexOf("/");
  return {
    base,
    sharedBase,
    session: slash < 0 ? null : sharedBase.slice(0, slash),
    name: sharedBase.slice(slash + 1),
    version: version === undefined ? null : Number(version),
    parameters: queue.slice(base.length) || "[]",
  };
}
