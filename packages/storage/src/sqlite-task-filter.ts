import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { TaskStatus } from "@samovar/protocol";
import type { TaskQueues } from "./sqlite-task-queues.ts";
import type { TaskFilter } from "./task-store.ts";

/** A page that few rows match is looked for in so many rows at a time, so that nobody who writes waits for more. */
const LOOKED_AT = 20_000;

/** What the index of notable ones is of; in its queries word by word, or SQLite doesn't take it. */
const NOTABLE = "status NOT IN ('PENDING', 'COMPLETE')";

/** The name of a queue without constructor arguments. */
const BASE = "substr(queue, 1, instr(queue || '[', '[') - 1)";

/** By the index of notable ones. */
export const IS_RUNNING = `${NOTABLE} AND status = 'RUNNING'`;

interface Conditions {
  readonly sql: readonly string[];
  readonly values: readonly SQLInputValue[];
}

/** The rows of one index, which are looked through in order. */
interface Source extends Conditions {
  readonly from: string;
}

type Direction = "newest" | "oldest";

/** Both not included. */
interface Bounds {
  readonly after: number;
  readonly before: number;
}

export interface TaskSearch {
  find(filter: TaskFilter, direction: Direction, bounds: Bounds, limit: number): Found;
  /** Of what `filter.expiredByMs` names, whatever comes first: for those who take it out of there. */
  findExpired(filter: TaskFilter, limit: number): readonly number[];
}

export interface Found {
  readonly seqs: readonly number[];
  /** Where to go on; null: there is no more. */
  readonly next: number | null;
}

/** Turns filters into queries over the index that helps most, and remembers their statements: filters have few forms. */
export function createTaskSearch(database: DatabaseSync, queues: TaskQueues): TaskSearch {
  const statements = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (!statement) {
      statement = database.prepare(sql);
      statement.setReturnArrays(true);
      statements.set(sql, statement);
    }
    return statement;
  };
  const seqs = (sql: string, values: readonly SQLInputValue[]): number[] =>
    (prepare(sql).all(...values) as unknown as readonly (readonly [number])[]).map(([seq]) => seq);

  const findOne = (filter: TaskFilter, direction: Direction, { after, before }: Bounds, limit: number, parts: number): Found => {
    const order = direction === "newest" ? "DESC" : "ASC";
    const source = toSource(filter);
    const rest = toRest(filter);
    const inner = [...source.sql, "seq > ?", "seq < ?"].join(" AND ");
    const innerValues = [...source.values, after, before];
    // What has expired is soon gone: all of it is sorted.
    const looked = filter.ids || filter.expiredByMs !== undefined ? -1 : Math.max(Math.ceil(LOOKED_AT / parts), limit + 1);
    const slice = `SELECT seq, id, queue, function_name, app, status, created_at_ms, expiry_at_ms FROM ${source.from} WHERE ${inner} ORDER BY seq ${order} LIMIT ${looked}`;
    const where = rest.sql.length === 0 ? "" : `WHERE ${rest.sql.join(" AND ")}`;
    const found = seqs(`SELECT seq FROM (${slice}) ${where} LIMIT ?`, [...innerValues, ...rest.values, limit + 1]);
    if (found.length > limit) return { seqs: found.slice(0, limit), next: found[limit - 1]! };
    if (looked === -1) return { seqs: found, next: null };
    const [last] = seqs(`SELECT seq FROM ${source.from} WHERE ${inner} ORDER BY seq ${order} LIMIT 1 OFFSET ${looked - 1}`, innerValues);
    return { seqs: found, next: last ?? null };
  };

  return {
    find(filter, direction, bounds, limit) {
      if (filter.durable === false) return { seqs: [], next: null };
      const parts = toSingleStatuses(filter).flatMap((part) => toSingleQueues(part, queues));
      const each = parts.map((one) => findOne(one, direction, bounds, limit, parts.length));
      return each.length === 1 ? each[0]! : merge(each, direction, limit);
    },
    findExpired(filter, limit) {
      const source = toSource({ expiredByMs: filter.expiredByMs! });
      const rest = toRest(filter);
      const where = [...source.sql, ...rest.sql].join(" AND ");
      return seqs(`SELECT seq FROM ${source.from} WHERE ${where} ORDER BY expiry_at_ms LIMIT ?`, [...source.values, ...rest.values, limit]);
    },
  };
}

const isNotable = (status: TaskStatus): boolean => status !== "PENDING" && status !== "COMPLETE";

/** The one status that is asked for, where its index is of use. */
function toNotable({ statuses = [] }: TaskFilter): TaskStatus | undefined {
  const [status, ...others] = statuses;
  return status !== undefined && others.length === 0 && isNotable(status) ? status : undefined;
}

/** The index of notable ones is in order for each status by itself. */
function toSingleStatuses(filter: TaskFilter): TaskFilter[] {
  const { statuses = [] } = filter;
  if (statuses.length < 2 || filter.ids || filter.expiredByMs !== undefined || !statuses.every(isNotable)) return [filter];
  return [...new Set(statuses)].map((status) => ({ ...filter, statuses: [status] }));
}

/** Tasks of a function are looked for in the queues that it has, where no other index helps more. */
function toSingleQueues(filter: TaskFilter, queues: TaskQueues): TaskFilter[] {
  if (filter.functionName === undefined || filter.queue !== undefined || filter.ids || filter.expiredByMs !== undefined) return [filter];
  if (toNotable(filter) !== undefined) return [filter];
  return queues.ofFunction(filter.functionName).map((queue) => ({ ...filter, queue }));
}

/** In one order, as far as all of them have been looked through. */
function merge(each: readonly Found[], direction: Direction, limit: number): Found {
  const sign = direction === "newest" ? -1 : 1;
  const ends = each.map(({ next }) => next).filter((next) => next !== null);
  const end = ends.length === 0 ? null : ends.reduce((a, b) => ((a - b) * sign < 0 ? a : b));
  const all = each.flatMap((found) => found.seqs).sort((a, b) => (a - b) * sign);
  const within = end === null ? all : all.filter((seq) => (seq - end) * sign <= 0);
  return within.length > limit ? { seqs: within.slice(0, limit), next: within[limit - 1]! } : { seqs: within, next: end };
}

function toSource(filter: TaskFilter): Source {
  if (filter.ids) return { from: "tasks", sql: ["id IN (SELECT value FROM json_each(?))"], values: [JSON.stringify(filter.ids)] };
  if (filter.expiredByMs !== undefined) {
    return { from: "tasks INDEXED BY tasks_expiry", sql: ["expiry_at_ms IS NOT NULL", "expiry_at_ms <= ?"], values: [filter.expiredByMs] };
  }
  const status = toNotable(filter);
  if (status !== undefined) {
    return { from: "tasks INDEXED BY tasks_notable", sql: [NOTABLE, "status = ?"], values: [status] };
  }
  if (filter.queue !== undefined) return { from: "tasks INDEXED BY tasks_of_queue", sql: ["queue = ?"], values: [filter.queue] };
  return { from: "tasks NOT INDEXED", sql: [], values: [] };
}

/** All that is asked, whatever of it the source has looked at already. */
function toRest(filter: TaskFilter): Conditions {
  const sql: string[] = [];
  const values: SQLInputValue[] = [];
  const add = (condition: string, value: SQLInputValue | undefined): void => {
    if (value === undefined) return;
    sql.push(condition);
    values.push(value);
  };
  add("queue = ?", filter.queue);
  add("function_name = ? COLLATE NOCASE", filter.functionName);
  add("app = ?", filter.app);
  add("status IN (SELECT value FROM json_each(?))", filter.statuses && JSON.stringify(filter.statuses));
  add("created_at_ms < ?", filter.createdBeforeMs);
  add("created_at_ms > ?", filter.createdAfterMs);
  add("expiry_at_ms <= ?", filter.expiredByMs);
  add(`${BASE} IN (SELECT value FROM json_each(?))`, filter.inBases && JSON.stringify(filter.inBases));
  add(`${BASE} NOT IN (SELECT value FROM json_each(?))`, filter.notInBases && JSON.stringify(filter.notInBases));
  return { sql, values };
}

/** A filter that asks for these at most: an event that other statuses don't know changes nothing there. */
export function narrow(filter: TaskFilter, statuses: readonly TaskStatus[]): TaskFilter {
  return { ...filter, statuses: filter.statuses ? filter.statuses.filter((status) => statuses.includes(status)) : statuses };
}
