import { retryDelayMs, type Clock, type Logger } from "@samovar/kit";
import type { ScheduleInfo } from "@samovar/protocol";
import type { ScheduleRecord } from "@samovar/storage";
import { MAX_TICKS, settledAt, stillWanted, takeTicks, tickOutcome, type DueTick } from "./decisions.ts";
import { describeWhen } from "./schedule-info.ts";
import { describeScheduleProblem } from "./schedule-problem.ts";
import type { ScheduledFunction } from "./scheduled-function.ts";
import type { Ticks } from "./ticks.ts";

/** How many next runs are shown. */
const SHOWN_RUNS = 5;

const RETRY = { initialDelayMs: 1_000, backoff: 2, maxDelayMs: 60_000, jitter: true };

export interface ScheduleServices {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  /** Notes a tick for after a restart. Never rejects. */
  keepTick(fn: ScheduledFunction, tickAtMs: number, taskId: string | null): Promise<void>;
}

/**
 * One schedule: which ticks passed, and a task for each of those that get one, one after another.
 *
 * States, as others see it: active ⇄ paused; stopped, from either, and back. Over when it is closed.
 * Its ticks: resting → working (some wait, and the first is being put) → resting, or → backing off (it couldn't be put) →
 * working. What waits is forgotten when the schedule is paused, stopped or closed.
 */
export class Schedule {
  readonly #services: ScheduleServices;
  #fn: ScheduledFunction;
  /** Null where its text can't be read any more: it never ticks. */
  #ticks: Ticks | null;
  #stopped = false;
  #closed = false;
  #pausedAtMs: number | null;
  #lastTickAtMs: number | null;
  #lastTaskId: string | null;
  /** The last task that a tick was given: unlike the one before, not forgotten at a tick that was skipped. */
  #openTaskId: string | null;
  #settledMs: number;
  #awayUntilMs: number;
  #waiting: readonly DueTick[] = [];
  #failures = 0;
  #working: Promise<void> | null = null;
  #cancelRetry: (() => void) | null = null;

  /** With a record it goes on where an earlier server ended; without one it begins now. */
  constructor(services: ScheduleServices, fn: ScheduledFunction, ticks: Ticks, record: ScheduleRecord | undefined) {
    this.#services = services;
    this.#fn = fn;
    this.#ticks = ticks;
    const nowMs = services.clock.now();
    this.#pausedAtMs = record?.pausedAtMs ?? null;
    this.#lastTickAtMs = record?.lastTickAtMs ?? null;
    this.#lastTaskId = this.#openTaskId = record?.lastTaskId ?? null;
    const keptMs = Math.max(record?.lastTickAtMs ?? -Infinity, record?.countFromMs ?? -Infinity);
    this.#settledMs = Number.isFinite(keptMs) ? keptMs : nowMs;
    this.#awayUntilMs = nowMs;
  }

  get fn(): ScheduledFunction {
    return this.#fn;
  }

  get state(): ScheduleInfo["state"] {
    return this.#stopped ? "stopped" : this.#pausedAtMs === null ? "active" : "paused";
  }

  get paused(): boolean {
    return this.#pausedAtMs !== null;
  }

  get #ticking(): boolean {
    return !this.#closed && this.state === "active";
  }

  /** Resolves when nothing of it goes on. */
  async settled(): Promise<void> {
    await this.#working;
  }

  info(): ScheduleInfo {
    const { name, app, functionId, schedule } = this.#fn;
    const fromMs = this.#services.clock.now();
    return {
      name,
      app,
      id: functionId,
      when: describeWhen(schedule),
      timezone: schedule.timezone,
      overlap: schedule.overlap,
      catchUp: schedule.catchUp,
      state: this.state,
      nextRunsAtMs: this.#ticking ? this.#next(Math.max(fromMs, settledAt(this.#settledMs, fromMs))) : [],
      lastTickAtMs: this.#lastTickAtMs,
      lastTaskId: this.#lastTaskId,
    };
  }

  /** Gives tasks to the ticks that passed; returns when to look again, null for never. */
  look(): number | null {
    if (!this.#ticking) return null;
    const { clock, logger } = this.#services;
    const nowMs = clock.now();
    const settledMs = settledAt(this.#settledMs, nowMs);
    // Set back far: what was seen before says nothing about now.
    if (settledMs < this.#settledMs) this.#awayUntilMs = settledMs;
    const [firstMs] = this.#next(settledMs);
    if (this.#ticks && firstMs !== undefined && firstMs <= nowMs) {
      const { schedule, name } = this.#fn;
      const { due, lostSinceMs } = takeTicks(this.#ticks, { settledMs, awayUntilMs: this.#awayUntilMs, nowMs, catchUp: schedule.catchUp });
      if (lostSinceMs !== null) {
        const fields = { schedule: name, since: toText(lostSinceMs), catchUp: schedule.catchUp, tasks: due.length };
        logger.info(fields, "Ticks of a schedule passed unseen, and not each gets a task");
      }
      if (due.length > 0) this.#add(due);
    }
    this.#settledMs = Math.max(settledMs, nowMs);
    return this.#next(this.#settledMs)[0] ?? null;
  }

  /** Another version, or the one that was stopped: ticks go to it from now on. True when nothing before now is to be made up for. */
  replace(fn: ScheduledFunction, ticks: Ticks, sameText: boolean): boolean {
    // What passed by now passed by the old text.
    this.look();
    const anew = !sameText || this.#stopped;
    this.#fn = fn;
    this.#ticks = ticks;
    this.#stopped = false;
    if (anew) this.#countFromNow();
    return anew;
  }

  pause(atMs: number): void {
    this.#pausedAtMs = atMs;
    this.#forgetWaiting();
  }

  resume(): void {
    if (this.#pausedAtMs === null) return;
    this.#pausedAtMs = null;
    this.#countFromNow();
  }

  stop(): void {
    this.#stopped = true;
    this.#forgetWaiting();
  }

  close(): void {
    this.#closed = true;
    this.#forgetWaiting();
  }

  /** All that is shown is found here, a little of it at each tick, so that a list of thousands has only to show it. */
  #next(afterMs: number): readonly number[] {
    try {
      return this.#ticks?.after(afterMs, SHOWN_RUNS) ?? [];
    } catch (error) {
      // An app's checks refuse it, but what was kept may be older than they are, and the zones of the machine newer.
      const fields = { schedule: this.#fn.name, problem: describeScheduleProblem(this.#fn.schedule), error: String(error) };
      this.#services.logger.error(fields, "A schedule can't be read, and doesn't tick");
      this.#ticks = null;
      return [];
    }
  }

  #countFromNow(): void {
    this.#settledMs = this.#services.clock.now();
    this.#awayUntilMs = this.#settledMs;
  }

  /** A task that is being put may still come. */
  #forgetWaiting(): void {
    this.#waiting = [];
    this.#failures = 0;
    this.#cancelRetry?.();
    this.#cancelRetry = null;
  }

  #add(due: readonly DueTick[]): void {
    this.#waiting = [...this.#waiting, ...due].slice(-MAX_TICKS);
    if (this.#failures > 0) this.#giveUpOld();
    this.#work();
  }

  /** The first can't be put, so the others couldn't either. */
  #giveUpOld(): void {
    const wanted = stillWanted(this.#waiting, this.#fn.schedule.catchUp);
    const given = this.#waiting.slice(0, -wanted.length).map(({ atMs }) => toText(atMs));
    if (given.length > 0) this.#services.logger.warn({ schedule: this.#fn.name, ticks: given }, "Ticks are given up: newer ones wait for their tasks");
    this.#waiting = wanted;
  }

  #work(): void {
    if (this.#working || this.#cancelRetry || this.#waiting.length === 0 || !this.#ticking) return;
    this.#working = this.#settleAll().finally(() => {
      this.#working = null;
      // What came between its last look and now.
      this.#work();
    });
  }

  async #settleAll(): Promise<void> {
    for (let tick = this.#waiting[0]; tick && this.#ticking; tick = this.#waiting[0]) {
      try {
        await this.#settle(tick);
        this.#failures = 0;
        this.#waiting = this.#waiting.filter((one) => one !== tick);
      } catch (error) {
        // Forgotten meanwhile: it was paused, stopped or closed.
        if (this.#waiting.includes(tick)) return this.#backOff(tick, error);
      }
    }
  }

  async #settle(tick: DueTick): Promise<void> {
    const { logger, keepTick } = this.#services;
    const taskId = this.#openTaskId;
    const lastIsOver = this.#fn.schedule.overlap !== "skip" || tick.madeUp || taskId === null || (await this.#fn.isOver(taskId));
    // Another version may have come meanwhile: the tick is for that one, and goes by what it says.
    const fn = this.#fn;
    const { overlap } = fn.schedule;
    const outcome = tickOutcome(overlap, { madeUp: tick.madeUp, lastIsOver });
    if (outcome !== "skip" && !(this.#ticking && this.#waiting.includes(tick))) return;
    if (outcome === "skip") logger.info({ schedule: fn.name, tick: toText(tick.atMs), taskId }, "A tick is skipped: the task of an earlier one isn't over");
    const put = outcome === "skip" ? null : await fn.put(tick.atMs, { serialized: outcome === "put-serialized" });
    if (put) this.#openTaskId = put.id;
    if (this.#closed) return;
    this.#lastTickAtMs = tick.atMs;
    this.#lastTaskId = put?.id ?? null;
    await keepTick(fn, tick.atMs, put?.id ?? null);
  }

  #backOff(tick: DueTick, error: unknown): void {
    const { clock, logger, random } = this.#services;
    this.#failures++;
    const retryInMs = retryDelayMs(RETRY, this.#failures, random());
    const fields = { schedule: this.#fn.name, tick: toText(tick.atMs), failures: this.#failures, retryInMs, error: String(error) };
    logger.warn(fields, "The task of a tick can't be queued: it is tried again");
    this.#giveUpOld();
    this.#cancelRetry = clock.after(retryInMs, () => {
      this.#cancelRetry = null;
      this.#work();
    });
  }
}

const toText = (atMs: number): string => new Date(atMs).toISOString();
