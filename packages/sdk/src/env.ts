import { getRuntime } from "./runtime.ts";

/** Where this code runs. */
export const env = Object.freeze({
  /**
   * True in a container, false on the machine that defines, deploys or calls.
   *
   * @example
   * const cacheDir = env.isRemote() ? "/volumes/cache" : "./cache";
   */
  isRemote(): boolean {
    return getRuntime()?.remote ?? false;
  },
});
