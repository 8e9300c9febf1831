import type { DatabaseSync } from "node:sqlite";
import type { TaskAttempt, TaskStatus } from "@samovar/protocol";
import { toLargeSize } from "./large-file-name.ts";
import type { Answered } from "./operations.ts";
import type { SqliteCalls } from "./sqlite-calls.ts";
import { IS_RUNNING, type TaskSearch } from "./sqlite-task-filter.ts";
import type { ListPosition, ReadyRow, RunningAttempt, StoredAttempt, StoredTask } from "./task-operations.ts";
import type { TaskFilter } from "./task-store.ts";

/** A page of tasks with their inputs ends where their inputs are larger than this. */
const MAX_PAGE_BYTES = 8 * 1024 * 1024;

const COLUMNS = `seq, id, queue, status, attempt, due_at_ms, version, container_id, started_at_ms, ended_at_ms, error, function_name, app, method,
  parameters, encoding, created_at_ms, priority,
  coalesce(expiry_at_ms, expires_at_ms) AS expires_at_ms, concurrency_key, idempotency_key, keep_ms, callback_url, tick, reply`;

type Row = Readonly<Record<string, unknown>>;

/** What a task is given out with, its input apart: the tuple of a `ReadyRow`. */
const GIVEN = `t.rank, t.id, t.method, t.parameters, t.encoding, t.created_at_ms, t.expiry_at_ms, t.concurrency_key, t.callback_url, t.attempt, t.failures,
  t.reply, i.file, i.input`;

/** What is read of tasks. Nothing here writes. */
export function createTaskQueries(database: DatabaseSync, search: TaskSearch, calls: SqliteCalls) {
  const ready = database.prepare(`
    SELECT ${GIVEN} FROM tasks AS t INDEXED BY tasks_ready JOIN task_inputs AS i ON i.task = t.seq
    WHERE t.wait = 'ready' AND t.queue = ? AND (t.rank, t.id) > (?, ?) ORDER BY t.rank, t.id LIMIT ?`);
  ready.setReturnArrays(true);
  const running = database.prepare(`
    SELECT ${GIVEN}, t.seq, t.queue, t.app, t.function_name, t.version, t.container_id, t.started_at_ms
    FROM (SELECT * FROM tasks INDEXED BY tasks_notable WHERE ${IS_RUNNING} AND seq > ? ORDER BY seq LIMIT ?) AS t
    JOIN task_inputs AS i ON i.task = t.seq ORDER BY t.seq`);
  running.setReturnArrays(true);
  const last = database.prepare("SELECT max(seq) AS seq FROM tasks");
  const byId = database.prepare(`SELECT ${COLUMNS} FROM tasks WHERE id = ?`);
  const bySeq = database.prepare(`SELECT ${COLUMNS} FROM tasks WHERE seq = ?`);
  const input = database.prepare("SELECT input, file FROM task_inputs WHERE task = ?");
  const result = database.prepare("SELECT encoding, result, file FROM task_results WHERE task = ?");
  const files = database.prepare(
    ["task_inputs", "task_results"].map((table) => `SELECT file FROM ${table} INDEXED BY ${table}_in_files WHERE file IS NOT NULL`).join(" UNION ALL "),
  );
  const attempts = database.prepare(`
    SELECT number, version, container_id AS containerId, started_at_ms AS startedAtMs, ended_at_ms AS endedAtMs, outcome, error
    FROM task_attempts WHERE task = ? ORDER BY number`);

  const toStored = (row: Row): StoredTask => {
    const ofRow = toLastAttempt(row);
    const isAll = Number(row["attempt"]) === (ofRow ? 1 : 0);
    const earlier = isAll ? [] : (attempts.all(row["seq"] as number).map((each) => ({ ...each })) as unknown as StoredAttempt[]);
    return toTask(row, ofRow ? [...earlier, ofRow] : earlier);
  };

  return {
    ready: (queue: string, rank: number, id: string, limit: number): Answered<"tasks.ready"> => toPage(ready.iterate(queue, rank, id, limit)).page,

    running(after: number, limit: number): Answered<"tasks.running"> {
      const { page, rest } = toPage(running.iterate(after, limit));
      return { ...page, attempts: rest.map((columns) => toRunningAttempt(columns as RunningColumns)) };
    },

    get(id: string): Answered<"tasks.get"> {
      const row = byId.get(id);
      if (!row) {
        const call = calls.get(id);
        return call && { task: call, resultFile: null };
      }
      const seq = row["seq"]!;
      const kept = result.get(seq);
      const asked = input.get(seq)!;
      const task = {
        ...toStored(row),
        // One in a file nobody asks for.
        input: asked["file"] === null ? (asked["input"] as Uint8Array) : null,
        result: kept ? { encoding: String(kept["encoding"]), bytes: kept["result"] as Uint8Array } : null,
      };
      return { task, resultFile: (kept?.["file"] as string | undefined) ?? null };
    },

    files: (): string[] => files.all().map((row) => String(row["file"])),

    /** Both tables in the order of their ages: as far as both have been looked through, up to the limit. */
    list(filter: TaskFilter, limit: number, from: ListPosition | null): { tasks: StoredTask[]; next: ListPosition | null } {
      let { seq, call } = from ?? { seq: Number(last.get()!["seq"] ?? 0) + 1, call: calls.end() };
      const found = search.find(filter, "newest", { after: 0, before: seq }, limit);
      const ofTasks = found.seqs.map((each) => [each, toStored(bySeq.get(each)!)] as const).values();
      const foundCalls = calls.list(filter, call, limit + 1);
      const ofCalls = foundCalls.values();
      const tasks: StoredTask[] = [];
      let task = ofTasks.next().value;
      let one = ofCalls.next().value;
      while (tasks.length < limit && (task || found.next === null) && (task || one)) {
        if (task && !(one && one.createdAtMs > task[1].createdAtMs)) {
          tasks.push(task[1]);
          seq = task[0];
          task = ofTasks.next().value;
        } else if (one) {
          tasks.push(one);
          call = one.id;
          one = ofCalls.next().value;
        }
      }
      // Where all tasks of this look are given, it goes on where the look ended.
      if (!task && found.next !== null) return { tasks, next: { seq: found.next, call } };
      return { tasks, next: task || one ? { seq, call } : null };
    },
  };
}

/** As many of these as may go together: what each is given out with, and its other columns. */
function toPage(found: Iterable<unknown>) {
  const rows: ReadyRow[] = [];
  const inputs: Uint8Array[] = [];
  const rest: (readonly unknown[])[] = [];
  let size = 0;
  for (const row of found as Iterable<readonly [...ReadyRow, input: Uint8Array, ...rest: unknown[]]>) {
    const file = row[12];
    const bytes = row[13];
    const length = file === null ? bytes.length : toLargeSize(file);
    if (rows.length > 0 && size + length > MAX_PAGE_BYTES) break;
    rows.push(row.slice(0, 13) as unknown as ReadyRow);
    inputs.push(bytes);
    rest.push(row.slice(14));
    size += length;
  }
  const all = new Uint8Array(inputs.reduce((sum, bytes) => sum + bytes.length, 0));
  let at = 0;
  for (const bytes of inputs) {
    all.set(bytes, at);
    at += bytes.length;
  }
  return { page: { rows, sizes: inputs.map((bytes) => bytes.length), inputs: all }, rest };
}

type RunningColumns = readonly [seq: number, queue: string, app: string, functionName: string, version: number, containerId: string, startedAtMs: number];

function toRunningAttempt([seq, queue, app, functionName, version, containerId, startedAtMs]: RunningColumns): RunningAttempt {
  return { seq, queue, app, functionName, version, containerId, startedAtMs };
}

const OUTCOMES: Readonly<Partial<Record<TaskStatus, TaskAttempt["outcome"]>>> = {
  COMPLETE: "complete",
  ERROR: "error",
  TIMEOUT: "timeout",
  CANCELLED: "cancelled",
};

/** The attempt that runs, or that ended the task. */
function toLastAttempt(row: Row): StoredAttempt | undefined {
  if (row["container_id"] === null) return undefined;
  return {
    number: Number(row["attempt"]),
    version: Number(row["version"]),
    containerId: row["container_id"] as string,
    startedAtMs: Number(row["started_at_ms"]),
    endedAtMs: row["ended_at_ms"] as number | null,
    outcome: OUTCOMES[row["status"] as TaskStatus] ?? null,
    error: row["error"] as string | null,
  };
}

function toTask(row: Row, attempts: readonly StoredAttempt[]): StoredTask {
  return {
    id: String(row["id"]),
    durable: true,
    callError: null,
    queue: String(row["queue"]),
    functionName: String(row["function_name"]),
    app: String(row["app"]),
    method: row["method"] as string | null,
    parameters: String(row["parameters"]),
    encoding: row["encoding"] as StoredTask["encoding"],
    createdAtMs: Number(row["created_at_ms"]),
    dueAtMs: Number(row["due_at_ms"]),
    priority: Number(row["priority"]),
    expiresAtMs: row["expires_at_ms"] as number | null,
    concurrencyKey: row["concurrency_key"] as string | null,
    idempotencyKey: row["idempotency_key"] as string | null,
    keepMs: Number(row["keep_ms"]),
    callbackUrl: row["callback_url"] as string | null,
    tick: row["tick"] as string | null,
    reply: String(row["reply"]),
    status: row["status"] as TaskStatus,
    attempts,
    endedAtMs: row["ended_at_ms"] as number | null,
    result: null,
    input: null,
  };
}
