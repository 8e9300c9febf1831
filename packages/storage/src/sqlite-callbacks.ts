import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { CallbackInfo } from "@samovar/protocol";
import { createIdSource, type IdSource } from "@samovar/protocol/ids";
import type { CallbackOutcome, DueCallback } from "./callback-store.ts";
import type { CallbackFilter } from "./operations.ts";

/** For so long one that failed for good is shown, and can be sent again while its task is kept. */
const FAILED_KEPT_MS = 30 * 24 * 60 * 60 * 1000;

const INFO = `id, task_id AS taskId, function_name AS function, app, url, state, attempts, created_at_ms AS createdAtMs, due_at_ms AS dueAtMs,
  ended_at_ms AS endedAtMs, last_error AS lastError`;

export interface SqliteCallbacks {
  /** The tasks of these rows are over, and have a URL. */
  add(tasks: readonly number[], atMs: number): void;
  due(nowMs: number, limit: number, except: readonly string[]): { readonly callbacks: readonly DueCallback[]; readonly nextDueAtMs: number | null };
  settle(id: string, attempt: number, outcome: CallbackOutcome): boolean;
  list(filter: CallbackFilter): CallbackInfo[];
  get(id: string): CallbackInfo | undefined;
  revive(id: string, nowMs: number): CallbackInfo | undefined;
  /** The task is queued once more: an end that nobody was told of yet is none. */
  dropPending(taskId: string): void;
  /** The task's record is removed. */
  forgetTask(taskId: string): void;
  /** True when it removed as many as it may. */
  prune(nowMs: number, limit: number): boolean;
}

/** Callbacks of tasks that are over. A task's time to go begins when none of its callbacks is pending any more. */
export function createSqliteCallbacks(database: DatabaseSync, newId: IdSource = createIdSource()): SqliteCallbacks {
  const add = database.prepare(`
    INSERT INTO callbacks (id, task_id, function_name, app, url, state, created_at_ms, due_at_ms)
    SELECT ?1, id, function_name, app, callback_url, 'pending', ?2, ?2 FROM tasks WHERE seq = ?3`);
  const addAll = database.prepare(`
    INSERT INTO callbacks (id, task_id, function_name, app, url, state, created_at_ms, due_at_ms)
    SELECT new.value ->> 1, t.id, t.function_name, t.app, t.callback_url, 'pending', ?2, ?2
    FROM json_each(?1) AS new CROSS JOIN tasks AS t ON t.seq = new.value ->> 0`);
  const due = database.prepare(`
    SELECT id, task_id AS taskId, function_name AS functionName, app, url, attempts + 1 AS attempt, created_at_ms AS createdAtMs, due_at_ms AS dueAtMs
    FROM callbacks WHERE state = 'pending' AND due_at_ms <= ? AND url NOT IN (SELECT value FROM json_each(?))
    ORDER BY due_at_ms, seq LIMIT ?`);
  const nextDue = database.prepare("SELECT min(due_at_ms) AS dueAtMs FROM callbacks WHERE state = 'pending' AND due_at_ms > ?");
  const settle = database.prepare(`
    UPDATE callbacks SET state = ?1, attempts = ?2, due_at_ms = ?3, ended_at_ms = ?4, last_error = ?5
    WHERE id = ?6 AND state = 'pending' AND attempts = ?2 - 1 RETURNING task_id AS taskId`);
  const byId = database.prepare(`SELECT ${INFO} FROM callbacks WHERE id = ?`);
  const revive = database.prepare(`
    UPDATE callbacks SET state = 'pending', attempts = 0, due_at_ms = ?, ended_at_ms = NULL, last_error = NULL
    WHERE id = ? AND state = 'failed' AND EXISTS (SELECT 1 FROM tasks WHERE tasks.id = task_id AND tasks.ended_at_ms = callbacks.created_at_ms)
    RETURNING task_id AS taskId`);
  const holdTask = database.prepare("UPDATE tasks SET gone_at_ms = NULL WHERE id = ?");
  const releaseTask = database.prepare(`
    UPDATE tasks SET gone_at_ms = ended_at_ms + keep_ms
    WHERE id = ?1 AND ended_at_ms IS NOT NULL AND NOT EXISTS (SELECT 1 FROM callbacks WHERE task_id = ?1 AND state = 'pending')`);
  const dropPending = database.prepare("DELETE FROM callbacks WHERE task_id = ? AND state = 'pending'");
  const forgetTask = database.prepare("DELETE FROM callbacks WHERE task_id = ? AND state = 'delivered'");
  const prune = database.prepare(`
    DELETE FROM callbacks WHERE seq IN (SELECT seq FROM callbacks WHERE state = 'failed' AND ended_at_ms < ? ORDER BY ended_at_ms LIMIT ?)`);

  const get = (id: string): CallbackInfo | undefined => byId.get(id) as CallbackInfo | undefined;

  return {
    add(tasks, atMs) {
      if (tasks.length === 1) add.run(newId("callback"), atMs, tasks[0]!);
      else if (tasks.length > 1) addAll.run(JSON.stringify(tasks.map((task) => [task, newId("callback")])), atMs);
    },

    due(nowMs, limit, except) {
      const rows = due.all(nowMs, JSON.stringify(except), limit + 1) as unknown as (DueCallback & { readonly dueAtMs: number })[];
      const callbacks = rows.slice(0, limit).map(({ dueAtMs: _, ...callback }) => callback);
      const next = rows[limit]?.dueAtMs ?? (nextDue.get(nowMs)!["dueAtMs"] as number | null);
      return { callbacks, nextDueAtMs: next };
    },

    settle(id, attempt, outcome) {
      const isOver = outcome.kind !== "again";
      const error = outcome.kind === "delivered" ? null : outcome.error;
      const settled = settle.get(isOver ? outcome.kind : "pending", attempt, isOver ? null : outcome.dueAtMs, isOver ? outcome.atMs : null, error, id);
      if (!settled) return false;
      if (isOver) releaseTask.run(settled["taskId"]!);
      return true;
    },

    list({ state, app, taskId, before, limit }) {
      const where: string[] = [];
      const values: SQLInputValue[] = [];
      const addCondition = (condition: string, value: SQLInputValue | undefined): void => {
        if (value === undefined) return;
        where.push(condition);
        values.push(value);
      };
      // Word by word as its index says it: those that failed are few among all that were delivered.
      if (state === "failed") where.push("state = 'failed'");
      else addCondition("state = ?", state);
      addCondition("app = ?", app);
      addCondition("task_id = ?", taskId);
      // It may be gone by now, and ids grow as rows do: the next older one is where it was.
      addCondition("seq <= (SELECT seq FROM callbacks WHERE id <= ? ORDER BY id DESC LIMIT 1)", before);
      addCondition("id <> ?", before);
      const sql = `SELECT ${INFO} FROM callbacks ${where.length === 0 ? "" : `WHERE ${where.join(" AND ")}`} ORDER BY seq DESC LIMIT ?`;
      return database.prepare(sql).all(...values, limit) as unknown as CallbackInfo[];
    },

    get,

    revive(id, nowMs) {
      const revived = revive.get(nowMs, id);
      if (!revived) return undefined;
      holdTask.run(revived["taskId"]!);
      return get(id);
    },

    dropPending: (taskId) => void dropPending.run(taskId),

    forgetTask: (taskId) => void forgetTask.run(taskId),

    prune: (nowMs, limit) => Number(prune.run(nowMs - FAILED_KEPT_MS, limit).changes) === limit,
  };
}
