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

/** Two characters at a time, by ten bits: half the pieces to put together. */
const PAIRS = Array.from({ length: 1_024 }, (_, bits) => ALPHABET[bits >> 5]! + ALPHABET[bits & 31]!);

/** An even number of characters of Crockford base 32, five random bits of each byte from `at` on. */
function randomText(random: Uint8Array, at: number, characters: number): string {
  let text = "";
  for (let i = at; i < at + characters; i += 2) text += PAIRS[((random[i]! & 31) << 5) | (random[i + 1]! & 31)]!;
  return text;
}

const POOL_BYTES = 20 * 128;
const STAMP_CHARS = 10;
const STAMPS_PER_MS = 256;
/** Of a stamp's 50 bits, those in its last four characters. */
const LOW_STAMPS = 2 ** 20;

/**
 * Random ids: `fn_` and 20 characters, 100 random bits, safe in hosts, paths and shells. Entropy is drawn for 128 ids at a
 * time, because one draw per id is most of the cost of an id on the warm path.
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
  /** The first six characters, which stay for four seconds, and what they say. */
  let high = -1;
  let highText = "";
  const stamp = (): string => {
    lastStamp = Math.max(lastStamp + 1, Math.trunc(now()) * STAMPS_PER_MS);
    const low = lastStamp % LOW_STAMPS;
    if (high !== (lastStamp - low) / LOW_STAMPS) {
      high = (lastStamp - low) / LOW_STAMPS;
      highText = PAIRS[(high >> 20) & 1_023]! + PAIRS[(high >> 10) & 1_023]! + PAIRS[high & 1_023]!;
    }
    return highText + PAIRS[low >> 10]! + PAIRS[low & 1_023]!;
  };
  return (kind) => {
    if (used === POOL_BYTES) {
      fill(pool);
      used = 0;
    }
    const from = used;
    used += 20;
    const isStamped = kind === "task" || kind === "callback";
    return `${PREFIXES[kind]}_${isStamped ? stamp() + randomText(pool, from + STAMP_CHARS, 10) : randomText(pool, from, 20)}` as Id<typeof kind>;
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
