import { setTimeout as sleep } from "node:timers/promises";
import { SamovarError } from "@samovar/protocol";

/** A process that SIGKILL does not end within this hangs in the kernel. */
const KILL_TIMEOUT_MS = 10_000;
const LONGEST_PAUSE_MS = 50;

/**
 * Signals until nothing is left: a process may fork between the look and the signal. `ended` is the end of the main
 * process, as a rule the last to go: it is the event to look again at.
 */
export async function endTree(containerId: string, ended: Promise<void>, signalAll: () => Promise<number>): Promise<void> {
  const startedMs = performance.now();
  let isEnded = false;
  void ended.then(() => (isEnded = true));
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    const left = await signalAll();
    if (left === 0 && isEnded) return;
    if (performance.now() - startedMs > KILL_TIMEOUT_MS)
      throw new SamovarError("internal", `Container ${containerId} can't be ended: ${left} processes survive SIGKILL`);
    await (isEnded ? sleep(pauseMs) : within(ended, pauseMs));
  }
}

/**
 * Waits for `work`, at most this long. In real time and holding this process alive, unlike the clock's timers: what
 * is waited for is the kernel, and a server on its way out must not exit before its containers are gone.
 */
async function within(work: Promise<unknown>, delayMs: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, delayMs);
  await Promise.race([work, late]);
  clearTimeout(timer);
}

export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** False where there is no such process any more. */
export function signal(pid: number, name: NodeJS.Signals = "SIGKILL"): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}
