/** What must last about a schedule; what it is lies in its deployment's version. By the deployment's name in lower case, and removed with it. */
export interface ScheduleStore {
  load(): Promise<readonly ScheduleRecord[]>;
  /** The latest tick that was given a task, or skipped; never back. */
  ticked(name: string, tickAtMs: number, taskId: string | null): Promise<void>;
  setPaused(name: string, pausedAtMs: number | null): Promise<void>;
  /**
   * Ticks up to then are nobody's to make up for: the schedule is new, ticks by another text, or was paused or stopped.
   * Never back. As the other two, it adds the record where there is none.
   */
  countFrom(name: string, atMs: number): Promise<void>;
  remove(name: string): Promise<void>;
}

export interface ScheduleRecord {
  readonly name: string;
  /** Null: not paused. */
  readonly pausedAtMs: number | null;
  readonly lastTickAtMs: number | null;
  readonly lastTaskId: string | null;
  /** The latest of `countFrom`. */
  readonly countFromMs: number | null;
}
