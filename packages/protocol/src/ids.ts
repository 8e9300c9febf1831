/**
 * Ids carry a prefix that says what they name, and a brand so that one kind can't be passed for another.
 * They are opaque: nothing parses an id, nothing is derived from its text.
 */
export type Id<Kind extends string> = string & { readonly __kind: Kind };

export type FunctionId = Id<"function">;
export type ContainerId = Id<"container">;
export type TaskId = Id<"task">;
export type SessionId = Id<"session">;
export type TokenId = Id<"token">;
export type DeployId = Id<"deploy">;
export type CallbackId = Id<"callback">;

const PREFIXES = {
  function: "fn",
  container: "ct",
  task: "tk",
  session: "ss",
  token: "to",
  deploy: "dp",
  callback: "cb",
} as const;

export type IdKind = keyof typeof PREFIXES;

/** Makes ids; passed in wherever ids are made, so that tests can count instead. */
export type IdSource = <K extends IdKind>(kind: K) => Id<K>;

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** `fn_` and 20 characters of Crockford base 32: 100 random bits, safe in hosts, paths and shells. */
export function toId<K extends IdKind>(kind: K, random: Uint8Array): Id<K> {
  let text = `${PREFIXES[kind]}_`;
  for (let i = 0; i < 20; i++) text += ALPHABET[random[i]! & 31];
  return text as Id<K>;
}

const POOL_BYTES = 20 * 128;
const STAMP_CHARS = 10;
const STAMPS_PER_MS = 256;

/**
 * Random ids. Entropy is drawn for 128 ids at a time, because one draw per id is most of the cost of an id
 * on the warm path.
 *
 * The first half of the id of a task, or a callback, is a stamp that grows with time, the rest 50 random bits: a database
 * of a million of them then adds each at the end of its index, in place of a page of its own somewhere in it. Nothing else
 * depends on that.
 */
export function createIdSource(
  fill: (bytes: Uint8Array<ArrayBuffer>) => unknown = (bytes) => crypto.getRandomValues(bytes),
  now: () => number = Date.now,
): IdSource {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  let lastStamp = 0;
  const stamp = (bytes: Uint8Array): void => {
    lastStamp = Math.max(lastStamp + 1, Math.trunc(now()) * STAMPS_PER_MS);
    let rest = lastStamp;
    for (let i = STAMP_CHARS - 1; i >= 0; i--) {
      bytes[i] = rest % 32;
      rest = Math.floor(rest / 32);
    }
  };
  return (kind) => {
    if (used === POOL_BYTES) {
      fill(pool);
      used = 0;
    }
    used += 20;
    const bytes = pool.subarray(used - 20, used);
    if (kind === "task" || kind === "callback") stamp(bytes);
    return toId(kind, bytes);
  };
}

/** Ids that count, `fn_1`, `fn_2`, …: for tests that compare what was recorded. */
export function createCountingIds(): IdSource {
  const counts = new Map<string, number>();
  return (kind) => {
    const next = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, next);
    return `${PREFIXES[kind]}_${next}` as Id<typeof kind>;
  };
}
