import { describe, expect, test } from "vitest";
import { mapInputs } from "./map.ts";

/** Calls that end when the test says. */
function createCalls() {
  const begun: number[] = [];
  const cancelled: number[] = [];
  const open = new Map<number, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  let changed = Promise.withResolvers<void>();
  const notify = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  return {
    begun,
    cancelled,
    call: (input: unknown, signal: AbortSignal) =>
      new Promise<unknown>((resolve, reject) => {
        const n = input as number;
        begun.push(n);
        open.set(n, { resolve, reject });
        signal.addEventListener("abort", () => cancelled.push(n));
        notify();
      }),
    end: (n: number) => open.get(n)!.resolve(n * 10),
    fail: (n: number, error: unknown) => open.get(n)!.reject(error),
    begunCount: async (count: number) => {
      while (begun.length < count) await changed.promise;
    },
  };
}

/** Lets everything that is ready go on: what has not begun after this waits for something. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
};

describe("map", () => {
  test("gives results in the order of the inputs, however calls end", async () => {
    const calls = createCalls();
    const results = collect(mapInputs([1, 2, 3], calls.call));
    await calls.begunCount(3);
    calls.end(3);
    calls.end(1);
    calls.end(2);
    expect(await results).toEqual([10, 20, 30]);
  });

  test("unordered, gives each as soon as it is there", async () => {
    const calls = createCalls();
    const results = mapInputs([1, 2, 3], calls.call, { ordered: false });
    const first = results.next();
    await calls.begunCount(3);
    calls.end(2);
    expect((await first).value).toBe(20);
    calls.end(3);
    expect((await results.next()).value).toBe(30);
    calls.end(1);
    expect((await results.next()).value).toBe(10);
    expect((await results.next()).done).toBe(true);
  });

  test("has no more calls under way than asked for", async () => {
    const calls = createCalls();
    const results = collect(mapInputs([1, 2, 3], calls.call, { concurrency: 2 }));
    await calls.begunCount(2);
    await settle();
    expect(calls.begun).toEqual([1, 2]);
    calls.end(2);
    await calls.begunCount(3);
    calls.end(1);
    calls.end(3);
    expect(await results).toEqual([10, 20, 30]);
  });

  test("reads inputs only as fast as results are taken", async () => {
    let read = 0;
    function* endless(): Generator<number> {
      for (;;) yield ++read;
    }
    const results = mapInputs(endless(), async (input) => input, { concurrency: 2 });
    expect(read).toBe(0);
    expect((await results.next()).value).toBe(1);
    await settle();
    const ahead = read;
    expect(ahead).toBeLessThanOrEqual(8);
    await settle();
    expect(read).toBe(ahead);
    await results.return();
  });

  test("does not run away from a slow first call", async () => {
    let read = 0;
    const never = Promise.withResolvers<unknown>();
    function* endless(): Generator<number> {
      for (;;) yield ++read;
    }
    const results = mapInputs(endless(), (input) => (input === 1 ? never.promise : Promise.resolve(input)), { concurrency: 2 });
    const first = results.next();
    await settle();
    expect(read).toBe(8);
    never.resolve(1);
    expect((await first).value).toBe(1);
    await results.return();
  });

  test("the first error ends it, cancels what is under way and closes the inputs", async () => {
    const calls = createCalls();
    let closed = false;
    function* inputs(): Generator<number> {
      try {
        yield* [1, 2, 3, 4];
      } finally {
        closed = true;
      }
    }
    const results = collect(mapInputs(inputs(), calls.call, { concurrency: 3 }));
    await calls.begunCount(3);
    calls.fail(1, new RangeError("no"));
    await expect(results).rejects.toThrow(RangeError);
    expect(calls.cancelled).toEqual([1, 2, 3]);
    expect(closed).toBe(true);
  });

  test("with returnErrors, errors take the place of results", async () => {
    const results = await collect(
      mapInputs([1, 2, 3], async (input) => (input === 2 ? Promise.reject(new RangeError("no 2")) : input), { returnErrors: true }),
    );
    expect(results).toEqual([1, new RangeError("no 2"), 3]);
  });

  test("an error of the inputs is thrown after the results before it", async () => {
    async function* inputs(): AsyncGenerator<number> {
      yield 1;
      throw new TypeError("source");
    }
    const results = mapInputs(inputs(), async (input) => input);
    expect((await results.next()).value).toBe(1);
    await expect(results.next()).rejects.toThrow(TypeError);
  });

  test("leaving the loop cancels what is under way", async () => {
    const calls = createCalls();
    const results = mapInputs([1, 2, 3], calls.call);
    const first = results.next();
    await calls.begunCount(3);
    calls.end(1);
    await first;
    await results.return();
    expect(calls.cancelled).toEqual([1, 2, 3]);
  });

  test("aborting ends it with the signal's reason, also while it waits", async () => {
    const calls = createCalls();
    const abort = new AbortController();
    const results = collect(mapInputs([1, 2], calls.call, { signal: abort.signal }));
    await calls.begunCount(2);
    abort.abort(new Error("enough"));
    await expect(results).rejects.toThrow("enough");
    expect(calls.cancelled).toEqual([1, 2]);
  });

  test("a concurrency that can't be is refused", async () => {
    await expect(collect(mapInputs([], async () => 1, { concurrency: 0 }))).rejects.toThrow("map: concurrency is 0, but it takes a whole number, 1 or more");
  });
});
