import { SamovarError } from "@samovar/protocol";
import type { ContainerEdits } from "./cdi-spec.ts";

/** Edits, and the device or kind that asks for them, for messages. */
export interface OwnedEdits {
  readonly owner: string;
  readonly edits: ContainerEdits;
}

/**
 * What several devices need together. What they ask for alike is done once; where they ask for different things in one place
 * it throws `unsupported` and names both, since one of them would not work.
 */
export function mergeEdits(all: readonly OwnedEdits[]): ContainerEdits {
  const of = <K extends keyof ContainerEdits>(key: K) =>
    all.flatMap(({ owner, edits }) => (edits[key] as readonly ContainerEdits[K][number][]).map((item) => ({ owner, item })));
  return {
    env: unify(of("env"), (line) => [`the variable ${line.slice(0, line.indexOf("="))}`, line]),
    deviceNodes: unify(of("deviceNodes"), ({ path, hostPath = path }) => [`the device ${path}`, hostPath]),
    mounts: unify(of("mounts"), ({ containerPath, hostPath }) => [`the path ${containerPath}`, hostPath]),
    // Two hooks are never in each other's way.
    hooks: unify(of("hooks"), (hook) => [JSON.stringify(hook), ""]),
    additionalGids: unify(of("additionalGids"), (gid) => [`the group ${gid}`, ""]),
  };
}

/** `read` says where an item goes, and what it puts there. */
function unify<T>(owned: readonly { readonly owner: string; readonly item: T }[], read: (item: T) => readonly [place: string, content: string]): readonly T[] {
  const places = new Map<string, { readonly owner: string; readonly content: string; readonly item: T }>();
  for (const { owner, item } of owned) {
    const [place, content] = read(item);
    const there = places.get(place);
    if (!there) places.set(place, { owner, content, item });
    else if (there.content !== content)
      throw new SamovarError(
        "unsupported",
        `${there.owner} and ${owner} can't be in one container: for ${place} one wants ${there.content}, the other ${content}`,
      );
  }
  return [...places.values()].map(({ item }) => item);
}
