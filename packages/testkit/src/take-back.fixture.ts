import {
  createOciDriver,
  createProcessDriver,
  type ContainerSpec,
  type OciDriverOptions,
  type ProcessDriverOptions,
  type RuntimeDriver,
} from "@samovar/runtime";
import { silentLogger, systemClock, type Clock, type Logger } from "@samovar/kit";

/** A server that has nothing but a driver, in a process of its own, so that it can be killed. Says so when it has done what it was told. */
export interface ServerOrders {
  readonly kind: "process" | "oci";
  readonly options: Omit<ProcessDriverOptions & OciDriverOptions, "clock" | "logger">;
  readonly takeBack: readonly ContainerSpec[];
  readonly start: readonly ContainerSpec[];
}

export function makeDriver(
  { kind, options }: Pick<ServerOrders, "kind" | "options">,
  more: { readonly clock: Clock; readonly logger: Logger } = { clock: systemClock, logger: silentLogger },
): Promise<RuntimeDriver> {
  return kind === "oci" ? createOciDriver({ ...options, ...more }) : createProcessDriver({ ...options, ...more });
}

if (import.meta.main) {
  const orders = JSON.parse(process.argv[2]!) as ServerOrders;
  const driver = await makeDriver(orders);
  const deaf = { output() {}, mainExited() {} };
  for (const spec of orders.takeBack) await driver.takeBack(spec, deaf);
  await Promise.all(orders.start.map((spec) => driver.start(spec, deaf)));
  process.stdout.write("ready\n");
}
