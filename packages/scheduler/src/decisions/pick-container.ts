export interface Seat {
  readonly free: number;
  /** Rises with every input given. */
  readonly lastUsed: number;
}

/**
 * Which of the seats with a free slot gets the next input: the most recently used one, so that the rest can go idle.
 * Returns its index, or -1.
 */
export function pickMostRecentlyUsed(seats: readonly Seat[]): number {
  let best = -1;
  for (let i = 0; i < seats.length; i++) {
    if (seats[i]!.free > 0 && (best < 0 || seats[i]!.lastUsed > seats[best]!.lastUsed)) best = i;
  }
  return best;
}
