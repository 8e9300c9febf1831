import { sortByNearness, findNear } from "@samovar/kit";
import { SamovarError, type ContainerInfo, type FunctionInfo } from "@samovar/protocol";

/**
 * The container that a name means: of those of the function that take inputs the newest, since the work goes there. A
 * name that only `serve` serves may be given without its -dev. Without a name there must be one container in all.
 */
export function chooseContainer(name: string | undefined, containers: readonly ContainerInfo[], functions: readonly FunctionInfo[]): ContainerInfo {
  if (name === undefined) return onlyOne(containers);
  const names = [...new Set([...functions.map((fn) => fn.name), ...containers.map((container) => container.function)])];
  const meant = [name, `${name}-dev`].find((each) => names.includes(each));
  if (meant === undefined) {
    const near = findNear(name, names);
    throw new SamovarError("not_found", `No function is named ${JSON.stringify(name)}`, {
      fields: {
        fix:
          near.length > 0
            ? `Did you mean ${sortByNearness(name, near)[0]}?`
            : "Give a function's name, a container's id, or a module as FILE:NAME (./FILE where the name has no dot)",
      },
    });
  }
  const chosen = containers.filter((container) => container.function === meant).toSorted((a, b) => rank(a) - rank(b) || b.startedAtMs - a.startedAtMs)[0];
  if (chosen) return chosen;
  throw new SamovarError("not_found", `No container of ${meant} lives`, {
    fields: { fix: `Call it, keep one with \`samovar deployment scale ${meant} --min 1\`, or start one for the shell: \`samovar shell FILE:${name}\`` },
  });
}

const STATES = ["ready", "starting", "draining"];

function rank({ state }: ContainerInfo): number {
  const at = STATES.indexOf(state);
  return at === -1 ? STATES.length : at;
}

function onlyOne(containers: readonly ContainerInfo[]): ContainerInfo {
  const [first, ...more] = containers;
  if (first && more.length === 0) return first;
  if (!first) throw new SamovarError("not_found", "No container lives", { fields: { fix: "Start one for the shell: `samovar shell FILE:NAME`" } });
  throw new SamovarError("invalid_request", `${containers.length} containers live: ${containers.map(({ id, function: fn }) => `${id} (${fn})`).join(", ")}`, {
    fields: { fix: "Name one, or its function: `samovar shell NAME`" },
  });
}
