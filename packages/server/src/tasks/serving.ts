import type { Logger } from "@samovar/kit";
import { toVersionBase, type FunctionRuntime, type TaskQueues } from "@samovar/scheduler";
import type { ScheduledFunction } from "../schedules/scheduled-function.ts";
import type { Schedules } from "../schedules/schedules.ts";
import type { Tasks } from "./tasks.ts";

/**
 * What follows for tasks and ticks where a version begins to serve its name, rests, or is gone. Sessions and deployments
 * tell it, in the turn in which they switch.
 */
export interface Serving {
  began(runtime: FunctionRuntime, options: { readonly ticks: boolean }): void;
  /** Its tasks wait, its ticks stop. */
  rests(runtime: FunctionRuntime): void;
  /** Nobody will serve its name again: its tasks are cancelled. Never rejects. */
  ended(runtime: FunctionRuntime): Promise<void>;
  /** A version beside the active one is gone, and what was queued for it alone. Never rejects. */
  versionEnded(runtime: FunctionRuntime): Promise<void>;
}

export interface ServingOptions {
  readonly queues: TaskQueues;
  readonly tasks: () => Tasks;
  readonly schedules: () => Schedules;
  readonly logger: Logger;
}

/** Nobody will serve this base again: its tasks are cancelled. Never rejects. */
export async function abandonQueues(queues: Pick<TaskQueues, "abandon">, base: string, logger: Logger): Promise<void> {
  await queues.abandon(base).catch((error: unknown) => logger.error({ queue: base, error: String(error) }, "Tasks of what is gone could not be cancelled"));
}

export function createServing({ queues, tasks, schedules, logger }: ServingOptions): Serving {
  const abandon = (base: string): Promise<void> => abandonQueues(queues, base, logger);
  const setSchedule = (runtime: FunctionRuntime, stopped: boolean): void => {
    const { schedule } = runtime.manifest;
    // A name that was a schedule's may become something else's.
    if (!schedule)
      return void schedules()
        .remove(runtime.name)
        .catch(() => {});
    const fn: ScheduledFunction = {
      name: runtime.name,
      app: runtime.app,
      functionId: runtime.functionId,
      schedule,
      ephemeral: runtime.spec.session !== null,
      put: (tickAtMs, { serialized }) => tasks().putTick(runtime, tickAtMs, serialized),
      isOver: (taskId) => tasks().isOver(taskId),
    };
    schedules().set(fn, { stopped });
  };
  return {
    began(runtime, { ticks }) {
      queues.serve(runtime.queue, runtime);
      queues.wakeVersions(runtime.queue);
      if (ticks) setSchedule(runtime, false);
    },
    rests(runtime) {
      queues.rest(runtime.queue);
      // A run's has no ticks, and a deployed one may have its name.
      if (runtime.manifest.schedule && runtime.spec.session === null) setSchedule(runtime, true);
      else schedules().stop(runtime.name, runtime.functionId);
    },
    async ended(runtime) {
      if (runtime.manifest.schedule)
        await schedules()
          .remove(runtime.name, runtime.functionId)
          .catch(() => {});
      await abandon(runtime.queue);
    },
    versionEnded: (runtime) => abandon(versionQueue(runtime)),
  };
}

/** Of what is queued for a version that isn't the active one. */
export const versionQueue = ({ queue, version }: FunctionRuntime): string => toVersionBase(queue, version);
