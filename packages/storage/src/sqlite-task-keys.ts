import { createHash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";

/** A tick is remembered for as long as a schedule may look back for what it missed, also when its task is gone long since. */
const TICK_KEPT_MS = 7 * 24 * 60 * 60 * 1000;

export interface Keyed {
  readonly id: string;
  readonly queue: string;
  readonly createdAtMs: number;
  readonly idempotencyKey: string | null;
  /** Of what was asked for under the idempotency key; null without one. */
  readonly fingerprint: Uint8Array | null;
  readonly idempotencyMs: number;
  readonly tick: string | null;
}

export interface TaskKeys {
  /** The task that stands for one with these keys, and whether that was asked for something else; undefined when none does. */
  find(task: Keyed): { readonly id: string; readonly conflict: boolean } | undefined;
  /** Of these idempotency keys. */
  known(queue: string, keys: readonly string[], nowMs: number): string[];
  keep(task: Keyed): void;
  /** True when it removed as many as it may. */
  prune(nowMs: number, limit: number): boolean;
}

/** What a queue has seen. Keys are apart from tasks, because they outlive them. */
export function createTaskKeys(database: DatabaseSync): TaskKeys {
  const findIdempotency = database.prepare("SELECT task_id, fingerprint FROM task_keys WHERE queue = ? AND kind = 'idempotency' AND key = ? AND until_ms > ?");
  const findTick = database.prepare("SELECT task_id FROM task_keys WHERE queue = ? AND kind = 'tick' AND key = ?");
  const keep = database.prepare("INSERT OR REPLACE INTO task_keys (queue, kind, key, task_id, until_ms, fingerprint) VALUES (?, ?, ?, ?, ?, ?)");
  const prune = database.prepare(`
    DELETE FROM task_keys WHERE (queue, kind, key) IN
      (SELECT queue, kind, key FROM task_keys WHERE until_ms <= ? ORDER BY until_ms LIMIT ?)`);

  return {
    find({ queue, createdAtMs, idempotencyKey, fingerprint, tick }) {
      const found = idempotencyKey === null ? undefined : findIdempotency.get(queue, idempotencyKey, createdAtMs);
      // One that an older version kept has no fingerprint.
      if (found)
        return {
          id: String(found["task_id"]),
          conflict: found["fingerprint"] !== null && !isSameFingerprint(fingerprint!, found["fingerprint"] as Uint8Array),
        };
      const ofTick = tick === null ? undefined : findTick.get(queue, tick);
      return ofTick && { id: String(ofTick["task_id"]), conflict: false };
    },
    known: (queue, keys, nowMs) => keys.filter((key) => findIdempotency.get(queue, key, nowMs) !== undefined),
    keep({ id, queue, createdAtMs, idempotencyKey, fingerprint, idempotencyMs, tick }) {
      if (idempotencyKey !== null) keep.run(queue, "idempotency", idempotencyKey, id, createdAtMs + idempotencyMs, fingerprint);
      if (tick !== null) keep.run(queue, "tick", tick, id, createdAtMs + Math.max(idempotencyMs, TICK_KEPT_MS), null);
    },
    prune(nowMs, limit) {
      return Number(prune.run(nowMs, limit).changes) === limit;
    },
  };
}

/** What a task was asked for. */
export interface Asked {
  readonly method: string | null;
  readonly parameters: string;
  readonly encoding: string;
  readonly reply: string;
}

/** Says whether two inputs are the same, without keeping them. */
export function toFingerprint({ method, parameters, encoding, reply }: Asked, inputHash: string): Uint8Array {
  // What came as a query is the input.
  const query = encoding === "query" ? "" : queryOf(reply, parameters);
  return createHash("sha256")
    .update(JSON.stringify([method, parameters, encoding, inputHash, ...(query === "" ? [] : [query])]))
    .digest();
}

/**
 * What the handler may read beside the body: the query of its request, without constructor arguments, which are known
 * already. Headers differ from one try to the next, and a path only says which function it is.
 */
function queryOf(reply: string, parameters: string): string {
  if (reply === "value") return "";
  const [, , request] = JSON.parse(reply) as readonly [string, string, { readonly url: string } | null];
  const at = request?.url.indexOf("?") ?? -1;
  if (at === -1) return "";
  const fields = request!.url.slice(at + 1).split("&");
  return (parameters === "[]" ? fields : fields.filter((field) => !field.startsWith("with="))).join("&");
}

export function toHash(input: Uint8Array): string {
  return createHash("sha256").update(input).digest("hex");
}

function isSameFingerprint(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
