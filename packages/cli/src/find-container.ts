import { SamovarError, type ContainerInfo } from "@samovar/protocol";
import type { ControlClient } from "./client/control-client.ts";

/** The container of that id, or the only one whose id begins so. Throws with what there is. */
export async function findContainer(client: ControlClient, id: string, signal: AbortSignal): Promise<ContainerInfo> {
  try {
    return await client.container(id, signal);
  } catch (error) {
    if (!(error instanceof SamovarError) || error.code !== "not_found") throw error;
  }
  const containers = await client.containers({ all: true }, signal);
  const matches = containers.filter((container) => container.id.startsWith(id));
  if (matches.length === 1) return matches[0]!;
  if (matches.length > 1) {
    throw new SamovarError("invalid_request", `${matches.length} containers have an id that begins with ${id}: ${matches.map((each) => each.id).join(", ")}`, {
      fields: { fix: "Give more of the id" },
    });
  }
  throw new SamovarError("not_found", `There is no container ${id}`, {
    fields: { fix: "`samovar container list --all` shows those that live and those that ended lately" },
  });
}
