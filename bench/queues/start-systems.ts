import { say } from "../terminal.ts";
import { PEERS } from "./peers.ts";
import { startSamovar } from "./samovar-system.ts";
import type { SystemName } from "./client.ts";
import { Measured } from "./turn.ts";

/** Ours, and those peers whose servers are installed; of the others it is said what to install. */
export async function startSystems(cleanUp: AsyncDisposableStack, peers: readonly SystemName[] = PEERS.map(({ name }) => name)): Promise<readonly Measured[]> {
  const systems: Measured[] = [];
  const add = async (starting: Promise<Measured["system"]>): Promise<void> => {
    const measured = new Measured(await starting);
    cleanUp.defer(() => measured.stop());
    systems.push(measured);
    const { name, version, durability } = measured.system;
    say(`${name} ${version}: ${durability}`);
  };
  await add(startSamovar());
  for (const peer of PEERS) {
    if (!peers.includes(peer.name)) continue;
    const missing = await peer.whyNot();
    if (missing === null) await add(peer.start());
    else say(`tasks: without ${peer.name}: ${missing}`);
  }
  return systems;
}
