import { FakeClock, type Clock, type Logger } from "@samovar/kit";
import type { ScheduleManifest } from "@samovar/protocol";
import type { ScheduleRecord, ScheduleStore } from "@samovar/storage";
import { setImmediate as turn } from "node:timers/promises";
import type { ScheduledFunction } from "./scheduled-function.ts";
import { Schedules } from "./schedules.ts";

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const NOON_MS = Date.parse("2026-05-01T12:00:00Z");

/** What every tick of `everyMinute` is called in expectations: `12:05`. */
export const clockTime = (atMs: number): string => new Date(atMs).toISOString().slice(11, atMs % MINUTE_MS === 0 ? 16 : 19);

/** Its timers go by real time; the wall clock can be set, and a machine that sleeps has no timers meanwhile. */
class WallClock implements Clock {
  readonly #timers = new FakeClock(0);
  #wallMs: number;

  constructor(wallMs: number) {
    this.#wallMs = wallMs;
  }

  now(): number {
    return this.#wallMs + this.#timers.now();
  }

  monotonic(): number {
    return this.#timers.monotonic();
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#timers.after(delayMs, run);
  }

  get pending(): number {
    return this.#timers.pending;
  }

  advance(byMs: number): void {
    this.#timers.advance(byMs);
  }

  setBy(byMs: number): void {
    this.#wallMs += byMs;
  }
}

/** Storage that outlives its server. */
class KeptSchedules implements ScheduleStore {
  readonly records = new Map<string, ScheduleRecord>();
  /** What writing fails with. */
  failure: Error | null = null;

  async load(): Promise<readonly ScheduleRecord[]> {
    return [...this.records.values()];
  }

  async ticked(name: string, tickAtMs: number, taskId: string | null): Promise<void> {
    if ((this.records.get(name)?.lastTickAtMs ?? -Infinity) < tickAtMs) this.#change(name, { lastTickAtMs: tickAtMs, lastTaskId: taskId });
  }

  async setPaused(name: string, pausedAtMs: number | null): Promise<void> {
    this.#change(name, { pausedAtMs });
  }

  async countFrom(name: string, countFromMs: number): Promise<void> {
    this.#change(name, { countFromMs });
  }

  async remove(name: string): Promise<void> {
    this.records.delete(name);
  }

  #change(name: string, change: Partial<ScheduleRecord>): void {
    if (this.failure) throw this.failure;
    const empty: ScheduleRecord = { name, pausedAtMs: null, lastTickAtMs: null, lastTaskId: null, countFromMs: null };
    this.records.set(name, { ...empty, ...this.records.get(name), ...change });
  }
}

interface TestTask {
  readonly id: string;
  readonly name: string;
  readonly tickAtMs: number | null;
  readonly serialized: boolean;
}

/** Servers one after another on the same storage, with the same wall clock. */
export class TestServers {
  readonly clock = new WallClock(NOON_MS + 1);
  readonly store = new KeptSchedules();
  /** As storage has them: one per tick. */
  readonly tasks: TestTask[] = [];
  readonly running = new Set<string>();
  /** What putting a task fails with. */
  failure: Error | null = null;
  /** Every try to put one. */
  puts = 0;
  readonly logged: string[] = [];
  #schedules: Schedules | null = null;

  get schedules(): Schedules {
    return (this.#schedules ??= new Schedules({ store: this.store, clock: this.clock, logger: this.#logger(), random: () => 0, timezone: "UTC" }));
  }

  /** Ends this server; what it had begun is done. */
  async end(): Promise<void> {
    await this.schedules.dispose();
    if (this.clock.pending > 0) throw new Error(`A server that has ended left ${this.clock.pending} timers`);
    this.#schedules = null;
  }

  async start(): Promise<void> {
    this.schedules.restore(await this.store.load());
  }

  async pass(byMs: number): Promise<void> {
    this.clock.advance(byMs);
    await this.settled();
  }

  /** What was begun by timers is done. */
  async settled(): Promise<void> {
    for (let at = 0; at < 20; at++) {
      await turn();
      this.clock.advance(0);
    }
  }

  set(schedule: Partial<ScheduleManifest>, more: Partial<ScheduledFunction> = {}): ScheduledFunction {
    const fn = this.fn(schedule, more);
    this.schedules.set(fn);
    return fn;
  }

  fn(schedule: Partial<ScheduleManifest>, more: Partial<ScheduledFunction> = {}): ScheduledFunction {
    const name = more.name ?? "Report";
    return {
      name,
      app: "office",
      functionId: "fn_1",
      schedule: { cron: null, everyMs: schedule.cron ? null : MINUTE_MS, timezone: null, overlap: "allow", catchUp: "none", ...schedule },
      ephemeral: false,
      put: async (tickAtMs, { serialized }) => {
        this.puts++;
        if (this.failure) throw this.failure;
        const before = tickAtMs === null ? undefined : this.tasks.find((task) => task.name === name && task.tickAtMs === tickAtMs);
        if (before) return { id: before.id, created: false };
        const task = { id: `ta_${this.tasks.length + 1}`, name, tickAtMs, serialized };
        this.tasks.push(task);
        return { id: task.id, created: true };
      },
      isOver: async (taskId) => !this.running.has(taskId),
      ...more,
    };
  }

  /** The ticks that have a task, in the order of their coming. */
  ticks(name = "Report"): string[] {
    return this.tasks.flatMap((task) => (task.name === name && task.tickAtMs !== null ? [clockTime(task.tickAtMs)] : []));
  }

  #logger(): Logger {
    const log = (_: object, message: string): void => void this.logged.push(message);
    const logger: Logger = { debug: log, info: log, warn: log, error: log, child: () => logger };
    return logger;
  }
}
