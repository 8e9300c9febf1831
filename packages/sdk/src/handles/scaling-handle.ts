import type { CallTransport, ScaleTarget } from "@samovar/protocol";
import { requireTransport } from "../runtime.ts";
import { readFloor, readScaling, type AutoscalerOptions } from "../options/scaling-options.ts";

/** What scales a live function: on the handle of an endpoint, a function or a class (there it means all of it, also through `.with(…)`). */
export interface ScalingHandle {
  /**
   * Changes how the running function scales, from anywhere: `main`, a handler or hook of the same app, a `Client` whose
   * token may do so. Resolves when the server took it; containers follow. What is left out stays; the next
   * deploy resets all of it. Throws `invalid_option`, such as for a floor above the ceiling, and `not_found`.
   *
   * @example
   * await predict.updateAutoscaler({ minContainers: 2, maxContainers: 20, scaledownWindow: "5m" });
   */
  updateAutoscaler(options: AutoscalerOptions): Promise<void>;
  /**
   * Keeps so many containers warm, whether work comes or not; 0 lets all of them go. The same as
   * `updateAutoscaler({ minContainers: containers })`.
   *
   * @example
   * export const opening = fn({}, () => predict.keepWarm(3)); // called in the morning
   */
  keepWarm(containers: number): Promise<void>;
}

export interface ScalingParts {
  /** As it is written, for messages: `square`. */
  readonly label: () => string;
  /** Throws while the function has no name. */
  readonly target: () => ScaleTarget;
  /** Default: the one of the session or container. */
  readonly transport?: CallTransport;
}

/** The two calls alone, for handles to take up. */
export function createScalingHandle({ label, target, transport }: ScalingParts): ScalingHandle {
  const reach = (call: string): CallTransport => transport ?? requireTransport(`${call}()`);
  return {
    updateAutoscaler: async function updateAutoscaler(options) {
      const call = `${label()}.updateAutoscaler`;
      const patch = readScaling(options, call, updateAutoscaler);
      await reach(call).scale(target(), patch);
    },
    keepWarm: async function keepWarm(containers) {
      const call = `${label()}.keepWarm`;
      const patch = readFloor(containers, call, keepWarm);
      await reach(call).scale(target(), patch);
    },
  };
}
