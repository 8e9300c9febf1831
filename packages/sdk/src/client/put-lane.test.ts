import { MAX_PUT_TASKS, SamovarError, type PutTask, type PutTaskResult } from "@samovar/protocol";
import { expect, test } from "vitest";
import { isForLane, PutLane } from "./put-lane.ts";

interface Sent {
  readonly keys: readonly string[];
  /** Ids that begin with `tk_`. */
  answer(): Promise<void>;
  fail(error: unknown): Promise<void>;
}

const task = (key: string, bytes = 1): PutTask => ({ idempotencyKey: key, encodedInput: new Uint8Array(bytes) });
const range = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));
const refused = (code: "idempotency_conflict" | "too_many_pending" | "forbidden" | "shutting_down" = "idempotency_conflict"): SamovarError =>
  new SamovarError(code, "no");

/** All that follows from what was just done. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function openLane() {
  const sent: Sent[] = [];
  const told: string[] = [];
  let underWay = 0;
  let mostUnderWay = 0;
  let idle = 0;
  const send = (tasks: readonly PutTask[]): Promise<readonly PutTaskResult[]> => {
    mostUnderWay = Math.max(mostUnderWay, ++underWay);
    const { promise, resolve, reject } = Promise.withResolvers<readonly PutTaskResult[]>();
    const keys = tasks.map((one) => one.idempotencyKey!);
    sent.push({
      keys,
      answer() {
        resolve(keys.map((key) => ({ id: `tk_${key}`, created: true })));
        return turn();
      },
      fail(error) {
        reject(error);
        return turn();
      },
    });
    return promise.finally(() => underWay--);
  };
  const lane = new PutLane(send, () => idle++);
  /** Remembers how each ended, in the order of the ends. */
  const put = (...keys: string[]): Promise<unknown> =>
    Promise.all(
      keys.map((key) =>
        lane.put(task(key)).then(
          ({ id }) => told.push(id),
          (error: SamovarError) => told.push(`${key}: ${error.code ?? error.message}`),
        ),
      ),
    );
  return { lane, put, sent, told, idle: () => idle, mostUnderWay: () => mostUnderWay };
}

test("a put by itself is sent in the turn in which it is made", async () => {
  const { put, sent, told, idle } = openLane();
  const done = put("a");
  await Promise.resolve();
  await new Promise<void>((resolve) => process.nextTick(resolve));
  expect(sent.map(({ keys }) => keys)).toEqual([["a"]]);
  await sent[0]!.answer();
  await done;
  expect(told).toEqual(["tk_a"]);
  expect(idle()).toBe(1);
});

test("those of one turn go together, and so do those made while a request is under way, in order", async () => {
  const { put, sent, told, idle, mostUnderWay } = openLane();
  void put("a", "b");
  await turn();
  void put("c");
  await turn();
  void put("d", "e");
  await turn();
  expect(sent.map(({ keys }) => keys)).toEqual([["a", "b"]]);
  await sent[0]!.answer();
  expect(told).toEqual(["tk_a", "tk_b"]);
  expect(sent[1]!.keys).toEqual(["c", "d", "e"]);
  expect(idle()).toBe(0);
  await sent[1]!.answer();
  expect(told).toEqual(["tk_a", "tk_b", "tk_c", "tk_d", "tk_e"]);
  expect([idle(), mostUnderWay()]).toEqual([1, 1]);
});

test("callers that put again when they are answered share the next request", async () => {
  const { lane, sent } = openLane();
  const callers = range(8).map(async (caller) => {
    for (const round of ["a", "b"]) await lane.put(task(caller + round));
  });
  await turn();
  await sent[0]!.answer();
  expect(sent[1]!.keys).toEqual(range(8).map((caller) => `${caller}b`));
  await sent[1]!.answer();
  await Promise.all(callers);
  expect(sent).toHaveLength(2);
});

test("what is refused is sent again by halves, in order, until whose mistake it was has it alone; the others are queued once", async () => {
  const { put, sent, told, mostUnderWay } = openLane();
  void put("a", "b", "bad", "d", "e");
  await turn();
  const queued: string[] = [];
  for (let at = 0; at < sent.length; at++) {
    const { keys } = sent[at]!;
    if (keys.includes("bad")) await sent[at]!.fail(refused());
    else {
      queued.push(...keys);
      await sent[at]!.answer();
    }
  }
  expect(sent.map(({ keys }) => keys.join())).toEqual(["a,b,bad,d,e", "a,b,bad", "a,b", "bad", "d,e"]);
  expect(queued).toEqual(["a", "b", "d", "e"]);
  expect(told).toEqual(["tk_a", "tk_b", "bad: idempotency_conflict", "tk_d", "tk_e"]);
  expect(mostUnderWay()).toBe(1);
});

test("where each is refused, each has its own answer", async () => {
  const { put, sent, told } = openLane();
  void put("a", "b", "c");
  await turn();
  for (let at = 0; at < sent.length; at++) await sent[at]!.fail(new SamovarError("too_many_pending", sent[at]!.keys.join()));
  expect(told).toEqual(["a: too_many_pending", "b: too_many_pending", "c: too_many_pending"]);
  expect(sent).toHaveLength(5);
});

test.each([
  ["a lost connection", Object.assign(new Error("lost"), { code: "ECONNRESET" }), "ECONNRESET"],
  ["a server that fails or stops", refused("shutting_down"), "shutting_down"],
  ["a token that may not", refused("forbidden"), "forbidden"],
])("%s rejects all of its request, and nothing of it is sent again; what waited goes on", async (_, error, code) => {
  const { put, sent, told } = openLane();
  void put("a", "b");
  await turn();
  void put("c");
  await sent[0]!.fail(error);
  expect(told).toEqual([`a: ${code}`, `b: ${code}`]);
  expect(sent.map(({ keys }) => keys)).toEqual([["a", "b"], ["c"]]);
  await sent[1]!.answer();
  expect(told.at(-1)).toBe("tk_c");
});

test("a part that is lost when it is sent again is not sent a third time, and the other part is", async () => {
  const { put, sent, told } = openLane();
  void put("a", "b", "c", "d");
  await turn();
  await sent[0]!.fail(refused());
  await sent[1]!.fail(Object.assign(new Error("lost"), { code: "ECONNRESET" }));
  await sent[2]!.answer();
  expect(sent.map(({ keys }) => keys.join())).toEqual(["a,b,c,d", "a,b", "c,d"]);
  expect(told).toEqual(["a: ECONNRESET", "b: ECONNRESET", "tk_c", "tk_d"]);
});

test("a request has at most as many tasks as a server takes, and a mebibyte of inputs; however many wait, one is under way", async () => {
  const { put, lane, sent, told, mostUnderWay } = openLane();
  const many = put(...range(2 * MAX_PUT_TASKS + 1));
  const large = range(20).map((key) => lane.put(task(key, 64 * 1024)));
  await turn();
  for (let at = 0; at < sent.length; at++) await sent[at]!.answer();
  await many;
  await Promise.all(large);
  expect(sent.slice(0, 2).map(({ keys }) => keys.length)).toEqual([MAX_PUT_TASKS, MAX_PUT_TASKS]);
  // One of the first, and fifteen of 64 KiB beside it.
  expect(sent.slice(2).map(({ keys }) => keys.length)).toEqual([16, 5]);
  expect(told).toEqual(range(2 * MAX_PUT_TASKS + 1).map((key) => `tk_${key}`));
  expect(mostUnderWay()).toBe(1);
});

test("large inputs are not for a lane", () => {
  expect([isForLane({}), isForLane(task("a", 64 * 1024)), isForLane(task("a", 64 * 1024 + 1))]).toEqual([true, true, false]);
});

test("closing rejects what waits, and what is under way ends with its own answer", async () => {
  const { lane, put, sent, told } = openLane();
  void put("a", "b");
  await turn();
  void put("c");
  lane.close();
  await turn();
  expect(told).toEqual(["c: cancelled"]);
  await sent[0]!.answer();
  expect(told).toEqual(["c: cancelled", "tk_a", "tk_b"]);
  expect(sent).toHaveLength(1);
});

test("closing in the turn of the put sends nothing, and after it nothing that was refused is sent again", async () => {
  const early = openLane();
  void early.put("a");
  early.lane.close();
  await turn();
  expect([early.sent.length, early.told]).toEqual([0, ["a: cancelled"]]);

  const late = openLane();
  void late.put("a", "b");
  await turn();
  late.lane.close();
  await late.sent[0]!.fail(refused());
  expect([late.sent.length, late.told]).toEqual([1, ["a: cancelled", "b: cancelled"]]);
});
