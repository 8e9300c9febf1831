import type { DatabaseSync } from "node:sqlite";
import { isTaskOver, nextTaskStatus, TASK_STATUSES, toRank, type TaskEvent, type TaskStatus } from "@samovar/protocol/tasks";
import type { SqliteCallbacks } from "./sqlite-callbacks.ts";
import { IS_RUNNING, narrow, type TaskSearch } from "./sqlite-task-filter.ts";
import type { SqliteTasks } from "./sqlite-tasks.ts";
import type { ChangedRow, ChangePosition } from "./task-operations.ts";
import type { TaskFilter } from "./task-store.ts";

/** A commit is not held up by more than this. */
const CHANGED_AT_ONCE = 500;

interface Row {
  readonly seq: number;
  readonly id: string;
  readonly queue: string;
  readonly status: TaskStatus;
  readonly attempt: number;
  readonly concurrencyKey: string | null;
  readonly priority: number;
  readonly functionName: string;
  readonly app: string;
  readonly callbackUrl: string | null;
}

const ROW = `t.seq, t.id, t.queue, t.status, t.attempt, t.concurrency_key AS concurrencyKey, t.priority, t.function_name AS functionName, t.app,
  t.callback_url AS callbackUrl`;

/** What happens to tasks from outside, or by the passing of time. Each piece is one operation; callers ask until there is no more. */
export function createTaskChanges(database: DatabaseSync, search: TaskSearch, { counts, turns }: SqliteTasks, callbacks: SqliteCallbacks) {
  const read = database.prepare(`SELECT ${ROW} FROM json_each(?) AS found CROSS JOIN tasks AS t ON t.seq = found.value`);
  const last = database.prepare("SELECT max(seq) AS seq FROM tasks");
  const end = database.prepare(`
    UPDATE tasks SET status = ?1, wait = NULL, turn = NULL, expiry_at_ms = NULL, ended_at_ms = ?2,
      gone_at_ms = CASE WHEN callback_url IS NULL THEN ?2 + keep_ms END
    WHERE seq IN (SELECT value FROM json_each(?3))`);
  const keepAttempt = database.prepare(`
    INSERT INTO task_attempts (task, number, version, container_id, started_at_ms, ended_at_ms, outcome, error)
    SELECT seq, attempt, version, container_id, started_at_ms, ?2, ?3, error FROM tasks WHERE seq = ?1 AND container_id IS NOT NULL`);
  const revive = database.prepare(`
    UPDATE tasks SET status = ?1, wait = ?2, turn = ?3, failures = 0, due_at_ms = ?4, rank = ?5, gone_at_ms = NULL,
      expiry_at_ms = expires_at_ms - created_at_ms + ?4,
      version = NULL, container_id = NULL, started_at_ms = NULL, ended_at_ms = NULL, error = NULL
    WHERE seq = ?6 AND attempt = ?7 AND status = ?8`);
  const ended = database.prepare("SELECT ended_at_ms AS atMs FROM tasks WHERE seq = ?");
  const running = database.prepare(`
    SELECT ${ROW} FROM tasks AS t WHERE ${IS_RUNNING} AND container_id NOT IN (SELECT value FROM json_each(?)) LIMIT ?`);
  const giveBack = database.prepare(`
    UPDATE tasks SET status = ?, wait = 'ready', version = NULL, container_id = NULL, started_at_ms = NULL
    WHERE seq = ? AND attempt = ? AND status = ?`);
  const promote = database.prepare(`
    UPDATE tasks SET wait = 'ready' WHERE seq IN
      (SELECT seq FROM tasks WHERE wait = 'time' AND due_at_ms <= ? ORDER BY due_at_ms LIMIT ?) RETURNING queue, rank`);
  const nextDue = database.prepare("SELECT min(due_at_ms) AS atMs FROM tasks WHERE wait = 'time'");
  const nextExpiry = database.prepare("SELECT min(expiry_at_ms) AS atMs FROM tasks WHERE expiry_at_ms IS NOT NULL");

  const fence = (row: Row) => [row.seq, row.attempt, row.status] as const;

  /** They leave the index that they are found in: the next piece is what is left. */
  const expired = (filter: TaskFilter) => {
    const seqs = search.findExpired(filter, CHANGED_AT_ONCE);
    return { seqs, next: seqs.length === CHANGED_AT_ONCE ? Number.MAX_SAFE_INTEGER : null };
  };

  /**
   * As they were read in this transaction. All by one statement, and lines go on when all have left them: one by one, half
   * of the cost would be the way to SQLite and back.
   */
  const endAll = (rows: readonly Row[], status: TaskStatus, nowMs: number): void => {
    end.run(status, nowMs, JSON.stringify(rows.map(({ seq }) => seq)));
    callbacks.add(
      rows.filter(({ callbackUrl }) => callbackUrl !== null).map(({ seq }) => seq),
      nowMs,
    );
    const lines = new Map<string, Row>();
    for (const row of rows) if (row.concurrencyKey !== null) lines.set(JSON.stringify([row.queue, row.concurrencyKey]), row);
    for (const { queue, concurrencyKey } of lines.values()) turns.release(queue, concurrencyKey!, nowMs);
  };

  /** Once more, from the beginning: at the end of its line, and with its whole time to live. */
  const reviveOne = (row: Row, status: TaskStatus, nowMs: number): void => {
    const outcome = ATTEMPT_OUTCOMES[row.status];
    if (outcome) keepAttempt.run(row.seq, Number(ended.get(row.seq)!["atMs"]), outcome);
    if (row.callbackUrl !== null) callbacks.dropPending(row.id);
    const place = row.concurrencyKey === null ? null : turns.next(row.queue, row.concurrencyKey);
    revive.run(status, place?.isHead === false ? "turn" : "ready", place?.turn ?? null, nowMs, toRank(nowMs, row.priority), ...fence(row));
  };

  return {
    change(event: "cancel" | "expire" | "revive", which: TaskFilter, nowMs: number, after: ChangePosition | null) {
      // Lines of a concurrency key are ended from their end, so that none becomes ready on the way, and revived in their order.
      const direction = event === "revive" ? "oldest" : "newest";
      const at = after ?? { at: direction === "oldest" ? 0 : Number.MAX_SAFE_INTEGER, end: Number(last.get()!["seq"] ?? 0) + 1 };
      const bounds = direction === "oldest" ? { after: at.at, before: at.end } : { after: 0, before: Math.min(at.at, at.end) };
      const filter = narrow(
        which,
        TASK_STATUSES.filter((status) => nextTaskStatus(status, event) !== undefined),
      );
      const { seqs, next } =
        filter.expiredByMs !== undefined && event === "expire" && !filter.ids ? expired(filter) : search.find(filter, direction, bounds, CHANGED_AT_ONCE);
      const rows = read.all(JSON.stringify(seqs)) as unknown as Row[];
      const byStatus = Map.groupBy(rows, (row) => nextTaskStatus(row.status, event)!);
      const changed: ChangedRow[] = [];
      for (const [status, all] of byStatus) {
        for (const { id, queue, functionName, app, status: before, attempt } of all) {
          counts.move(queue, before, status);
          changed.push([id, queue, functionName, app, status, before === "RUNNING" ? attempt : null]);
        }
        if (isTaskOver(status)) endAll(all, status, nowMs);
        else for (const row of all) reviveOne(row, status, nowMs);
      }
      return { changed, next: next === null ? null : { at: next, end: at.end } };
    },

    /** The server that ran them is gone, and so are the containers, but for these. */
    recover(nowMs: number, kept: readonly string[], limit: number) {
      const rows = running.all(JSON.stringify(kept), limit) as unknown as Row[];
      for (const row of rows) {
        const status = nextTaskStatus(row.status, "give-back" satisfies TaskEvent)!;
        keepAttempt.run(row.seq, nowMs, "given-back");
        giveBack.run(status, ...fence(row));
        counts.move(row.queue, row.status, status);
      }
      return { queues: counts.queues(), more: rows.length === limit };
    },

    promote(nowMs: number, limit: number) {
      const promoted = promote.all(nowMs, limit) as unknown as readonly { readonly queue: string; readonly rank: number }[];
      const queues = new Map<string, number>();
      for (const { queue, rank } of promoted) queues.set(queue, Math.min(rank, queues.get(queue) ?? rank));
      const nextDueAtMs = nextDue.get()!["atMs"] as number | null;
      const nextExpiryAtMs = nextExpiry.get()!["atMs"] as number | null;
      return { queues: [...queues], nextDueAtMs, nextExpiryAtMs, more: promoted.length === limit };
    },
  };
}

/** How the last attempt of one that is over went, where there was one; a task that was cancelled or expired while it waited has none. */
const ATTEMPT_OUTCOMES: Readonly<Partial<Record<TaskStatus, string>>> = { ERROR: "error", TIMEOUT: "timeout", CANCELLED: "cancelled" };
