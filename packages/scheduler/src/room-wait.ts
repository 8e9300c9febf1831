import { SamovarError, type FunctionManifest } from "@samovar/protocol";
import type { ContainerHost } from "./container-types.ts";
import { needOf } from "./decisions/room.ts";
import { toImpossibleError, type RoomClient, type RoomHold } from "./host-capacity.ts";

/**
 * Room for the one container of a hook run, as soon as the host has it. Rejects with `no_capacity` when that takes longer
 * than `startupTimeout` or can never be, or with the signal's reason. `onWait` is told what it waits for, where it has to.
 */
export async function waitForRoom(
  host: ContainerHost,
  manifest: FunctionManifest,
  functionName: string,
  options: { readonly signal?: AbortSignal; readonly onWait?: (reason: string) => void } = {},
): Promise<RoomHold> {
  const { signal } = options;
  signal?.throwIfAborted();
  const impossible = host.capacity.describeImpossible(manifest.options);
  if (impossible !== null) throw toImpossibleError(functionName, impossible);
  const { promise, resolve, reject } = Promise.withResolvers<RoomHold>();
  const client: RoomClient = {
    offers: () => [],
    tally: () => ({ busy: tenant.holds.size, starting: 0, kept: 0, leaving: 0 }),
    kept: () => 0,
    roomCame() {
      const hold = tenant.take();
      if (hold) resolve(hold);
    },
    setRoomWanted() {},
  };
  const tenant = host.capacity.join({ ...needOf(manifest.options), gpu: [], gpuCount: 0 }, client);
  const onAbort = (): void => reject(signal?.reason);
  const cancelTimer = host.clock.after(manifest.options.startupTimeoutMs, () => {
    reject(
      new SamovarError(
        "no_capacity",
        `The host had no room for the hooks of ${functionName} within ${manifest.options.startupTimeoutMs / 1_000} s: ${tenant.describe()}`,
        {
          fields: { reason: tenant.describe() },
        },
      ),
    );
  });
  signal?.addEventListener("abort", onAbort, { once: true });
  tenant.want(1, 0);
  client.roomCame();
  if (tenant.holds.size === 0) options.onWait?.(tenant.describe());
  try {
    return await promise;
  } finally {
    cancelTimer();
    signal?.removeEventListener("abort", onAbort);
    // What it holds stays its own until it is given back.
    tenant.leave();
  }
}
