import { createHash } from "node:crypto";

/**
 * Everything that a server makes on the host carries the name of its instance, by which the next server of the same
 * home finds it: `smv`, five characters for the home, two for the run. Links add a number of up to five characters to
 * it: the kernel allows fifteen in all.
 */
const HOME_LENGTH = 5;
const RUN_LENGTH = 2;
const RUNS = 36 ** RUN_LENGTH;

/** What all instances of the home's servers begin with. */
export function homePrefix(home: string): string {
  const hash = createHash("sha256").update(home).digest().readUInt32BE(0);
  return `smv${toText(hash, HOME_LENGTH)}`;
}

/** A number for where among all choices a home begins. */
export function homeSeed(home: string): number {
  return createHash("sha256").update(home).digest().readUInt32BE(4);
}

/** The first name from `start` on that nothing has yet. */
export function chooseInstance(prefix: string, taken: ReadonlySet<string>, start: number): string {
  for (let tried = 0; tried < RUNS; tried++) {
    const name = prefix + toText((start + tried) % RUNS, RUN_LENGTH);
    if (!taken.has(name)) return name;
  }
  throw new Error(`All names from ${prefix} on are taken`);
}

/** Which instance of this home a link, namespace or table belongs to; null for what is not ours. */
export function instanceOf(name: string, prefix: string): string | null {
  return name.startsWith(prefix) && name.length >= prefix.length + RUN_LENGTH ? name.slice(0, prefix.length + RUN_LENGTH) : null;
}

export const gatewayLink = (instance: string): string => `${instance}gw`;
export const containerLink = (instance: string, index: number): string => `${instance}${index.toString(36)}`;
export const isInstanceName = (name: string): boolean => /^smv[0-9a-z]{7}$/.test(name);

function toText(value: number, length: number): string {
  return (value % 36 ** length).toString(36).padStart(length, "0");
}
