import type { HelloMessage } from "@samovar/protocol";
import type { ContainerState, WorkerState } from "../states.ts";

export interface WorkerSeatSnapshot {
  readonly hello: Pick<HelloMessage, "resumed" | "workerIndex" | "held">;
  readonly container: ContainerState;
  /** Of the seat that it asks for; null where there is none, or somebody sits there. */
  readonly worker: WorkerState | null;
  /** Of a container that an earlier server started: whether none of its workers has come yet. */
  readonly way: { readonly isAwaited: boolean } | null;
  /** What one worker can hold. */
  readonly concurrencyMax: number;
}

/** Whether a worker that says HELLO with the right token is let in. */
export function awaitsWorker({ hello, container, worker, way, concurrencyMax }: WorkerSeatSnapshot): boolean {
  if (worker === null || container === "ended") return false;
  // One that was to stop while it was awaited is let in to be told so.
  if (container === "stopping" && !way?.isAwaited) return false;
  if (hello.resumed) return way !== null && worker === "starting" && (hello.held ?? []).length <= concurrencyMax;
  // Of a container that comes back, worker 0 is there first and starts others again.
  return container !== "returning" || (hello.workerIndex > 0 && !way?.isAwaited);
}
