import type { PutTask } from "@samovar/protocol";
import type { Behaviour, Put } from "./history.ts";
import type { Random } from "./random.ts";

/** A task as a producer is going to put it, and what it does with it afterwards. */
export interface DrawnTask {
  readonly put: Pick<Put, "seq" | "function" | "behaviour" | "delayMs" | "ttlMs" | "idempotencyKey" | "concurrencyKey">;
  readonly priorityMs: number;
  /** Null: it isn't cancelled. */
  readonly cancelAfterMs: number | null;
}

const HOW = ["exit", "SIGKILL"] as const;
const KEYS_PER_PRODUCER = 2;

/** The input and the wishes as they are sent. */
export function toPutTask({ put, priorityMs }: DrawnTask): PutTask {
  return {
    input: { seq: put.seq, ...put.behaviour },
    ...(put.delayMs > 0 ? { delayMs: put.delayMs } : {}),
    ...(priorityMs === 0 ? {} : { priorityMs }),
    ...(put.ttlMs === null ? {} : { ttlMs: put.ttlMs }),
    ...(put.idempotencyKey === null ? {} : { idempotencyKey: put.idempotencyKey }),
    ...(put.concurrencyKey === null ? {} : { concurrencyKey: put.concurrencyKey }),
  };
}

/** One request's worth of tasks for one function. `next` numbers the producer's inputs. */
export function drawTasks(random: Random, producer: string, next: () => number): readonly DrawnTask[] {
  const name = random.weighted<Put["function"]>([
    [60, "work"],
    [30, "keyed"],
    [3, "risky"],
    [2, "picky"],
  ]);
  const count = name === "risky" || name === "picky" || random.chance(0.5) ? 1 : random.between(2, 5);
  const isKeyed = random.chance(0.7);
  return Array.from({ length: count }, () => draw(random, name, `${producer}-${next()}`, producer, isKeyed));
}

function draw(random: Random, name: Put["function"], seq: string, producer: string, isKeyed: boolean): DrawnTask {
  const behaviour = drawBehaviour(random, name);
  const delayMs = random.chance(0.06) ? random.between(50, 2_000) : 0;
  const ttlMs = random.chance(0.1) ? random.between(20, 2_500) : null;
  const priorityMs = random.chance(0.1) ? random.between(-2_000, 10_000) : 0;
  const cancelAfterMs = random.chance(0.08) ? random.between(0, 300) : null;
  const key = random.between(1, KEYS_PER_PRODUCER);
  const isPlain = name === "work";
  return {
    put: {
      seq,
      function: name,
      behaviour,
      delayMs: isPlain || name === "keyed" ? delayMs : 0,
      ttlMs: isPlain ? ttlMs : null,
      idempotencyKey: isKeyed ? `key of ${seq}` : null,
      concurrencyKey: name === "keyed" ? `${producer}/${key}` : null,
    },
    priorityMs: isPlain ? priorityMs : 0,
    cancelAfterMs: isPlain || name === "risky" ? cancelAfterMs : null,
  };
}

function drawBehaviour(random: Random, name: Put["function"]): Behaviour {
  const ms = random.between(50, 500);
  const times = random.between(1, 3);
  const how = random.pick(HOW);
  const quick: Behaviour = { does: "work", ms: 0 };
  const slow: Behaviour = { does: "work", ms };
  const flaky: Behaviour = { does: "flaky", times };
  switch (name) {
    case "work":
      return random.weighted<Behaviour>([
        [60, quick],
        [20, slow],
        [13, flaky],
        [7, { does: "chain" }],
      ]);
    case "keyed":
      return random.weighted<Behaviour>([
        [70, quick],
        [15, { does: "work", ms: Math.ceil(ms / 4) }],
        [15, flaky],
      ]);
    case "risky":
      return random.weighted<Behaviour>([
        [65, { does: "crash", how }],
        [15, { does: "poison", how }],
        [20, quick],
      ]);
    default:
      return random.weighted<Behaviour>([
        [35, { does: "fatal" }],
        [10, { does: "dawdle" }],
        [20, { does: "broken" }],
        [20, flaky],
        [15, quick],
      ]);
  }
}
