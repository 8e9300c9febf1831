import { SamovarError, type HeldInput } from "@samovar/protocol";
import type { LeftInput, LeftInputs } from "../container-types.ts";
import type { RunningTask } from "./running-task.ts";

/** Of a task that waits as far as its record says, because the start of this attempt was lost with its server. */
export type ClaimWaiting = (container: { readonly id: string; readonly functionId: string }, held: HeldInput) => RunningTask | null;

/**
 * Tasks whose attempts an earlier server began, in containers that may come back: as far as their records say they run,
 * and nobody else may begin them. Each is claimed by the worker that has it, or done again when its container is there
 * without it, or won't come.
 */
export class LeftTasks implements LeftInputs {
  readonly #byContainer = new Map<string, Map<string, RunningTask>>();
  readonly #claimWaiting: ClaimWaiting;

  constructor(claimWaiting: ClaimWaiting) {
    this.#claimWaiting = claimWaiting;
  }

  add(running: RunningTask): void {
    const tasks = this.#byContainer.get(running.containerId) ?? new Map<string, RunningTask>();
    this.#byContainer.set(running.containerId, tasks.set(running.task.id, running));
  }

  claim(container: { readonly id: string; readonly functionId: string }, held: HeldInput): LeftInput | null {
    if (!held.resumable) return null;
    const tasks = this.#byContainer.get(container.id);
    const running = tasks?.get(held.taskId) ?? this.#claimWaiting(container, held);
    // Cancelled meanwhile, or begun anew: then what the worker has is of no interest.
    if (!running || running.isOver || running.attempt !== held.attempt) return null;
    tasks?.delete(held.taskId);
    return { input: running, startedAtMs: running.startedAtMs };
  }

  settle(containerId: string): void {
    const tasks = this.#byContainer.get(containerId);
    this.#byContainer.delete(containerId);
    for (const running of tasks?.values() ?? []) {
      const error = new SamovarError("drained", "The server was lost while the task ran, and its container did not bring it back");
      running.error({ error, thrown: null, containerId, attempt: running.attempt });
    }
  }
}
