/**
 * Whether a container gets the next input rather than the best one found before it: the most recently used one with
 * a free slot, so that the rest can go idle. `lastUsed` rises with every input given; `bestLastUsed` is -1 before any
 * was found. Called for each container at each input, hence plain numbers.
 */
export function isPreferredContainer(free: number, lastUsed: number, bestLastUsed: number): boolean {
  return free > 0 && lastUsed > bestLastUsed;
}
