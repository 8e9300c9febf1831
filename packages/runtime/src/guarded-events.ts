import type { Logger } from "@samovar/kit";
import type { ContainerEvents } from "./driver.ts";

/** What listeners throw is logged, and harms nobody else. */
export function guardEvents(events: ContainerEvents, containerId: string, logger: Logger): ContainerEvents {
  const guard = (call: () => void): void => {
    try {
      call();
    } catch (error) {
      logger.error({ containerId, error }, "A listener of container events threw");
    }
  };
  return {
    output: (stream, chunk) => guard(() => events.output(stream, chunk)),
    mainExited: (exit) => guard(() => events.mainExited(exit)),
  };
}
