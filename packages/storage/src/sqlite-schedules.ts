import type { DatabaseSync } from "node:sqlite";
import type { ScheduleRecord } from "./schedule-store.ts";

export function createScheduleTable(database: DatabaseSync) {
  const load = database.prepare(`
    SELECT name, paused_at_ms AS pausedAtMs, last_tick_at_ms AS lastTickAtMs, last_task_id AS lastTaskId, count_from_ms AS countFromMs
    FROM schedules ORDER BY name`);
  const ticked = database.prepare(`
    INSERT INTO schedules (name, last_tick_at_ms, last_task_id) VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET last_tick_at_ms = excluded.last_tick_at_ms, last_task_id = excluded.last_task_id
    WHERE last_tick_at_ms IS NULL OR last_tick_at_ms < excluded.last_tick_at_ms`);
  const setPaused = database.prepare(`
    INSERT INTO schedules (name, paused_at_ms) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET paused_at_ms = excluded.paused_at_ms`);
  const countFrom = database.prepare(`
    INSERT INTO schedules (name, count_from_ms) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET count_from_ms = max(coalesce(count_from_ms, excluded.count_from_ms), excluded.count_from_ms)`);
  const remove = database.prepare("DELETE FROM schedules WHERE name = ?");

  return {
    load: (): ScheduleRecord[] => load.all() as unknown as ScheduleRecord[],
    ticked: (name: string, tickAtMs: number, taskId: string | null): undefined => void ticked.run(name, tickAtMs, taskId),
    setPaused: (name: string, pausedAtMs: number | null): undefined => void setPaused.run(name, pausedAtMs),
    countFrom: (name: string, atMs: number): undefined => void countFrom.run(name, atMs),
    remove: (name: string): undefined => void remove.run(name),
  };
}
