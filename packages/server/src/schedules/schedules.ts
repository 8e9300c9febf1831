import { describeNear, type Clock, type Logger } from "@samovar/kit";
import { SamovarError, type ScheduleInfo } from "@samovar/protocol";
import type { ScheduleControl } from "@samovar/scheduler";
import type { ScheduleRecord, ScheduleStore } from "@samovar/storage";
import { Turns } from "../deployments/turns.ts";
import { SET_BACK_MS } from "./decisions.ts";
import { Schedule, type ScheduleServices } from "./schedule.ts";
import type { ScheduledFunction } from "./scheduled-function.ts";
import { TickHeap, type TickHeapItem } from "./tick-heap.ts";
import { createTicks, ticksText, type Ticks } from "./ticks.ts";

export interface SchedulesOptions {
  readonly store: ScheduleStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random?: () => number;
  /** Of schedules that name no timezone; the machine's. */
  readonly timezone?: string;
}

/**
 * The wall clock may be set, and a machine may sleep, of which nobody tells: it is looked at this often at least, while
 * there is any tick to come. Well within `LATE_MS`, so that a tick that is found this way is on time.
 */
const LOOK_EVERY_MS = 10_000;
/** Thousands of schedules may tick at the same moment: others get their turn after so many milliseconds. */
const LONG_TURN_MS = 5;
/** Finding ticks of one text is shared by all that have it. */
const MAX_SHARED_TICKS = 10_000;

interface Entry {
  readonly schedule: Schedule;
  /** Where it stands in the heap; what else is there of it is out of date. */
  next: TickHeapItem<Entry> | null;
}

/**
 * All schedules of a server, and the one timer for the earliest of their next ticks.
 *
 * Its states: no timer (nothing ticks), or one that is set, or disposed. Whatever it calls, a timer is set again while
 * something is to come. What must last is written in the background, in order for each name; where that fails it is
 * logged, and what it was about holds until a restart.
 */
export class Schedules implements ScheduleControl {
  readonly #options: SchedulesOptions;
  readonly #timezone: string;
  readonly #services: ScheduleServices;
  readonly #entries = new Map<string, Entry>();
  readonly #restored = new Map<string, ScheduleRecord>();
  readonly #shared = new Map<string, Ticks>();
  readonly #heap = new TickHeap<Entry>();
  readonly #writes = new Turns();
  /** Of schedules that are gone: they are waited for at the end. */
  readonly #closing = new Set<Promise<void>>();
  #lookedAtMs = -Infinity;
  #timer: { readonly atMs: number; readonly cancel: () => void } | null = null;
  #disposed = false;

  constructor(options: SchedulesOptions) {
    this.#options = options;
    this.#timezone = options.timezone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone;
    this.#services = {
      clock: options.clock,
      logger: options.logger,
      random: options.random ?? Math.random,
      // Of one that was skipped only that it is settled: the task that it was skipped for must be known after a restart.
      keepTick: async (fn, tickAtMs, taskId) =>
        this.#write(fn, "its last tick", (store, name) => (taskId === null ? store.countFrom(name, tickAtMs) : store.ticked(name, tickAtMs, taskId))),
    };
  }

  /** What an earlier server kept, before any function is set. */
  restore(records: readonly ScheduleRecord[]): void {
    for (const record of records) this.#restored.set(toKey(record.name), record);
  }

  /**
   * Ticks of this name go to this function from now on. `stopped`: of a deployment that an earlier server left stopped,
   * which is listed and doesn't tick until it is set again.
   */
  set(fn: ScheduledFunction, options: { readonly stopped?: boolean } = {}): void {
    if (this.#disposed) return;
    const key = toKey(fn.name);
    const ticks = this.#createTicks(fn);
    let entry = this.#entries.get(key);
    if (entry && entry.schedule.fn.ephemeral !== fn.ephemeral) {
      this.#close(key, entry);
      entry = undefined;
    }
    if (entry) {
      const sameText = ticksText(entry.schedule.fn.schedule) === ticksText(fn.schedule);
      if (entry.schedule.replace(fn, ticks, sameText)) this.#keepBeginning(fn);
    } else {
      const record = fn.ephemeral ? undefined : this.#restored.get(key);
      this.#restored.delete(key);
      entry = { schedule: new Schedule(this.#services, fn, ticks, record), next: null };
      this.#entries.set(key, entry);
      if (!record) this.#keepBeginning(fn);
    }
    if (options.stopped) entry.schedule.stop();
    // Looked at in the timer's turn: who sets ten thousand doesn't wait for their first ticks.
    this.#plan(entry, this.#options.clock.now());
  }

  /** The deployment was stopped; what is known of its schedule is kept. With an id only if it is that function's. */
  stop(name: string, functionId?: string): void {
    const entry = this.#entries.get(toKey(name));
    if (!entry || (functionId !== undefined && entry.schedule.fn.functionId !== functionId)) return;
    entry.schedule.stop();
    this.#plan(entry, null);
  }

  /** The deployment was deleted, or the session has ended. With an id only if it is that function's. Resolves when nothing of it is kept. */
  async remove(name: string, functionId?: string): Promise<void> {
    const key = toKey(name);
    const entry = this.#entries.get(key);
    if (entry && functionId !== undefined && entry.schedule.fn.functionId !== functionId) return;
    if (entry) this.#close(key, entry);
    if (entry?.schedule.fn.ephemeral) return;
    // What was never a schedule has nothing that is kept: whoever isn't sure may ask.
    if (this.#restored.delete(key) || entry) await this.#writes.take(key, () => this.#options.store.remove(key));
  }

  list(): readonly ScheduleInfo[] {
    return [...this.#entries].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, { schedule }]) => schedule.info());
  }

  get(name: string): ScheduleInfo {
    return this.#find(name).schedule.info();
  }

  async run(name: string): Promise<string> {
    const { fn, state } = this.#find(name).schedule;
    if (state === "stopped") throw new SamovarError("stopped", `The schedule ${fn.name} is stopped: start its deployment to run it`);
    return (await fn.put(null, { serialized: false })).id;
  }

  async pause(name: string): Promise<ScheduleInfo> {
    const entry = this.#find(name);
    const { schedule } = entry;
    if (!schedule.paused) {
      const atMs = this.#options.clock.now();
      // Kept first: what is answered as paused is paused, whatever happens.
      await this.#mustWrite(schedule.fn, (store, key) => store.setPaused(key, atMs));
      schedule.pause(atMs);
      this.#plan(entry, null);
    }
    return schedule.info();
  }

  async resume(name: string): Promise<ScheduleInfo> {
    const entry = this.#find(name);
    const { schedule } = entry;
    if (schedule.paused) {
      const nowMs = this.#options.clock.now();
      await this.#mustWrite(schedule.fn, async (store, key) => {
        // In this order: nothing that was paused may look missed after a crash in between.
        await store.countFrom(key, nowMs);
        await store.setPaused(key, null);
      });
      schedule.resume();
      this.#plan(entry, this.#options.clock.now());
    }
    return schedule.info();
  }

  /** No tick gets a task any more; resolves when those that are being put are, and all is kept. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#heap.clear();
    for (const { schedule } of this.#entries.values()) {
      schedule.stop();
      this.#closing.add(schedule.settled());
    }
    await Promise.all(this.#closing);
    await this.#writes.settled();
  }

  #find(name: string): Entry {
    const entry = this.#entries.get(toKey(name));
    if (entry) return entry;
    const names = [...this.#entries.values()].map(({ schedule }) => schedule.fn.name);
    throw new SamovarError("not_found", `There is no schedule ${name}${describeNear(name, names, "schedules")}`);
  }

  #close(key: string, { schedule }: Entry): void {
    this.#entries.delete(key);
    schedule.close();
    const settled = schedule.settled().finally(() => this.#closing.delete(settled));
    this.#closing.add(settled);
  }

  #createTicks({ schedule }: ScheduledFunction): Ticks {
    const text = ticksText(schedule);
    let ticks = this.#shared.get(text);
    if (!ticks) {
      ticks = createTicks(schedule, this.#timezone);
      // Those that are in use have their own hold on it.
      if (this.#shared.size >= MAX_SHARED_TICKS) this.#shared.clear();
      this.#shared.set(text, ticks);
    }
    return ticks;
  }

  /** `atMs` null: it doesn't tick. */
  #plan(entry: Entry, atMs: number | null): void {
    entry.next = atMs === null || this.#disposed ? null : { atMs, value: entry };
    if (!entry.next) return;
    this.#heap.add(entry.next);
    if (atMs! < (this.#timer?.atMs ?? Infinity)) this.#setTimer();
  }

  #setTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
    // What is out of date would only wake us.
    while (this.#heap.first && this.#heap.first.value.next !== this.#heap.first) this.#heap.takeFirst();
    const first = this.#heap.first;
    if (!first || this.#disposed) return;
    const { clock } = this.#options;
    const delayMs = Math.min(LOOK_EVERY_MS, Math.max(0, first.atMs - clock.now()));
    this.#timer = { atMs: first.atMs, cancel: clock.after(delayMs, () => this.#look()) };
  }

  #look(): void {
    const { clock, logger } = this.#options;
    const nowMs = clock.now();
    if (nowMs < this.#lookedAtMs - SET_BACK_MS) {
      logger.warn({ from: new Date(this.#lookedAtMs).toISOString() }, "The clock was set back far: schedules go by what it says now");
      for (const entry of this.#entries.values()) this.#plan(entry, nowMs);
    }
    this.#lookedAtMs = nowMs;
    const turnEndMs = clock.monotonic() + LONG_TURN_MS;
    while (this.#heap.first && this.#heap.first.atMs <= nowMs && clock.monotonic() < turnEndMs) {
      const item = this.#heap.takeFirst()!;
      const entry = item.value;
      if (entry.next !== item) continue;
      const nextMs = entry.schedule.look();
      entry.next = nextMs === null ? null : { atMs: nextMs, value: entry };
      if (entry.next) this.#heap.add(entry.next);
    }
    this.#setTimer();
  }

  #keepBeginning(fn: ScheduledFunction): void {
    const nowMs = this.#options.clock.now();
    void this.#write(fn, "from when on its ticks count", (store, key) => store.countFrom(key, nowMs));
  }

  async #write(fn: ScheduledFunction, what: string, work: (store: ScheduleStore, key: string) => Promise<void>): Promise<void> {
    try {
      await this.#mustWrite(fn, work);
    } catch (error) {
      this.#options.logger.warn({ schedule: fn.name, error: String(error) }, `Of a schedule can't be kept ${what}`);
    }
  }

  async #mustWrite(fn: ScheduledFunction, work: (store: ScheduleStore, key: string) => Promise<void>): Promise<void> {
    if (fn.ephemeral) return;
    const key = toKey(fn.name);
    await this.#writes.take(key, () => work(this.#options.store, key));
  }
}

const toKey = (name: string): string => name.toLowerCase();
