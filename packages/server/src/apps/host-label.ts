import { hostLabel } from "@samovar/gateway";

const VERSION_SUFFIX = /^(.+)--([1-9]\d{0,8})$/;

/** `my-api--3` → version 3 of `my-api`; without such an end the label itself. */
export function splitHostLabel(label: string): { readonly name: string; readonly version: number | null } {
  const match = VERSION_SUFFIX.exec(label);
  return match ? { name: match[1]!, version: Number(match[2]) } : { name: label, version: null };
}

/** Why a name can't have a host of its own; undefined when it can. */
export function describeHostProblem(name: string): string | undefined {
  const label = hostLabel(name);
  if (splitHostLabel(label).version !== null)
    return `"${name}" ends as the host of a version does (${label}.localhost): give the function a name without -- and a number at its end`;
  return undefined;
}
