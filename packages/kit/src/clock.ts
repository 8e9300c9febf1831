/**
 * Time, passed in wherever time is read or waited for, so that tests hold it in their hands. Timers of the
 * system clock never keep a process alive by themselves.
 */
export interface Clock {
  /** Milliseconds since the epoch. For records. */
  now(): number;
  /** Milliseconds that only grow. For durations. */
  monotonic(): number;
  /** Calls back once. Returns what cancels it; cancelling twice or late is harmless. */
  after(delayMs: number, run: () => void): () => void;
}

/** setTimeout's own limit: longer delays fire at once in Node, so they are cut into pieces. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run) {
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      const step = Math.min(leftMs, MAX_TIMEOUT_MS);
      timer = setTimeout(() => (leftMs > step ? arm(leftMs - step) : run()), Math.max(0, step));
      timer.unref();
    };
    arm(delayMs);
    return () => clearTimeout(timer);
  },
};
