import type { ScheduleManifest } from "@samovar/protocol";
import type { Ticks } from "./ticks.ts";

/** A tick that is later than this was missed: nobody was there to see it, or the machine slept, or its clock was set forward. */
export const LATE_MS = 30_000;
/** Of ticks that are made up for, or given one task each. */
export const MAX_TICKS = 100;
/** A clock that was set back by more than this had been wrong before, and ticks go by what it says now. */
export const SET_BACK_MS = 3_600_000;

export interface DueTick {
  readonly atMs: number;
  /** It was missed, and `catchUp` asks for it. */
  readonly madeUp: boolean;
}

export interface TicksSnapshot {
  /** Ticks up to then are settled. */
  readonly settledMs: number;
  /** Nobody was there until then: what ticked by then was missed, however short ago. */
  readonly awayUntilMs: number;
  readonly nowMs: number;
  readonly catchUp: ScheduleManifest["catchUp"];
}

export interface TicksTaken {
  /** Which get a task, in order. */
  readonly due: readonly DueTick[];
  /** The first tick that was missed and gets none; null when there is none. */
  readonly lostSinceMs: number | null;
}

/** Which of the ticks that passed get a task. */
export function takeTicks(ticks: Ticks, { settledMs, awayUntilMs, nowMs, catchUp }: TicksSnapshot): TicksTaken {
  const missedUntilMs = Math.min(nowMs, Math.max(awayUntilMs, nowMs - LATE_MS));
  const onTime = ticks.newest(Math.max(settledMs, missedUntilMs), nowMs, MAX_TICKS).map((atMs) => ({ atMs, madeUp: false }));
  const firstMs = ticks.after(settledMs, 1)[0] ?? Infinity;
  if (firstMs > missedUntilMs) return { due: onTime, lostSinceMs: null };
  // Of the last ones, one that is on time stands for those before it.
  const count = catchUp === "all" ? MAX_TICKS : catchUp === "last" && onTime.length === 0 ? 1 : 0;
  const madeUp = count === 0 ? [] : ticks.newest(settledMs, missedUntilMs, count).map((atMs) => ({ atMs, madeUp: true }));
  const due = [...madeUp, ...onTime].slice(-MAX_TICKS);
  return { due, lostSinceMs: due[0]?.atMs === firstMs ? null : firstMs };
}

/**
 * From when on ticks count. A clock that was set back a little shows ticks again that are settled: they don't come
 * again. One that was set back far would else keep a schedule silent for as long.
 */
export function settledAt(settledMs: number, nowMs: number): number {
  return settledMs - nowMs > SET_BACK_MS ? nowMs : settledMs;
}

/** What is still worth trying of ticks that can't get their tasks: the newest, or each where each is made up for. */
export function stillWanted(waiting: readonly DueTick[], catchUp: ScheduleManifest["catchUp"]): readonly DueTick[] {
  return waiting.slice(catchUp === "all" ? -MAX_TICKS : -1);
}

export type TickOutcome = "skip" | "put" | "put-serialized";

/**
 * What becomes of a tick. Where two may not run at once its task is serialized also under `skip`: of what this server
 * doesn't know (a task whose tick was not noted before a crash) nothing runs beside it either; and ticks that are made
 * up for would else skip one another.
 */
export function tickOutcome(overlap: ScheduleManifest["overlap"], tick: { readonly madeUp: boolean; readonly lastIsOver: boolean }): TickOutcome {
  if (overlap === "allow") return "put";
  return overlap === "skip" && !tick.madeUp && !tick.lastIsOver ? "skip" : "put-serialized";
}
