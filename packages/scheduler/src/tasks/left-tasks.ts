import { SamovarError, type HeldInput } from "@samovar/protocol";
import type { LeftInput, LeftInputs } from "../container-types.ts";
import type { RunningTask } from "./running-task.ts";

/**
 * Tasks whose attempts an earlier server began, in containers that may come back: as far as their records say they run,
 * and nobody else may begin them. Each is claimed by the worker that has it, or done again when its container is there
 * without it, or won't come.
 */
export class LeftTasks implements LeftInputs {
  readonly #byContainer = new Map<string, Map<string, RunningTask>>();

  add(running: RunningTask): void {
    const tasks = this.#byContainer.get(running.containerId) ?? new Map<string, RunningTask>();
    this.#byContainer.set(running.containerId, tasks.set(running.task.id, running));
  }

  claim(containerId: string, { taskId, attempt, resumable }: HeldInput): LeftInput | null {
    const tasks = this.#byContainer.get(containerId);
    const running = tasks?.get(taskId);
    // Cancelled meanwhile, or begun anew: then what the worker has is of no interest.
    if (!running || running.isOver || running.attempt !== attempt || !resumable) return null;
    tasks!.delete(taskId);
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
