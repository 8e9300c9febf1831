import type { FunctionInfo, PoolState } from "@samovar/protocol";
import type { Colors } from "./colors.ts";

/** `2 ready, 1 starting`, or `0`. */
export function describeContainers({ ready, starting, draining }: FunctionInfo["containers"]): string {
  const parts = [ready > 0 ? `${ready} ready` : "", starting > 0 ? `${starting} starting` : "", draining > 0 ? `${draining} draining` : ""];
  return parts.filter((part) => part !== "").join(", ") || "0";
}

export function paintState(state: PoolState, colors: Colors): string {
  switch (state) {
    case "ready":
      return colors.green(state);
    case "failing":
      return colors.red(state);
    case "starting":
      return colors.yellow(state);
    case "idle":
    case "stopped":
      return colors.dim(state);
  }
}
