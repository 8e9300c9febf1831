import { constants } from "node:os";

/** To a process group, or to its leader alone where the group is not there yet. Harmless when both are gone. */
export function signalGroup(pid: number, signal: string): void {
  if (!isSignal(signal)) return;
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, signal);
      return;
    } catch {
      // Ended, or so young that it has no group of its own.
    }
  }
}

export function signalOne(pid: number, signal: string): void {
  try {
    if (isSignal(signal)) process.kill(pid, signal);
  } catch {
    // Ended.
  }
}

export const isSignal = (name: string): name is NodeJS.Signals => Object.hasOwn(constants.signals, name);
