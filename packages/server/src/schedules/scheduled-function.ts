import type { ScheduleManifest } from "@samovar/protocol";

/** The version of a function that ticks are for now. */
export interface ScheduledFunction {
  readonly name: string;
  readonly app: string;
  readonly functionId: string;
  readonly schedule: ScheduleManifest;
  /** Not kept in storage: a session's. */
  readonly ephemeral: boolean;
  /**
   * One task for this tick; the store makes sure that there is at most one, also from another server. `tickAtMs` null:
   * by hand. `serialized`: it waits for those before it that were serialized too.
   */
  put(tickAtMs: number | null, options: { readonly serialized: boolean }): Promise<{ readonly id: string; readonly created: boolean }>;
  /** Whether the task is over, or gone. */
  isOver(taskId: string): Promise<boolean>;
}
