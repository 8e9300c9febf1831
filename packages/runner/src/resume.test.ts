import { setImmediate as turn } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { FRAME, encodeFrame, encodeValue, type CallTransport, type InputHead } from "@samovar/protocol";
import { createWorkerRuntime } from "./scope.ts";
import { callable, hook, moduleOf } from "./testing/definitions.fixture.ts";
import { readyWorker, type Bench } from "./testing/in-memory.fixture.ts";
import type { Answer, TestPeer } from "./testing/test-peer.fixture.ts";

const text = (answer: Answer): string => answer.body.toString();
const LOST = { error: { code: "drained" }, retryable: true };
const DURABLE: Partial<InputHead> = { durable: true };
const transport = (): CallTransport => createWorkerRuntime(() => undefined).transport!;

/** A worker whose handler returns, for the name that it is given, what the test resolves or throws what it rejects. */
async function gated(
  names: readonly string[],
  onStop: readonly string[] = [],
): Promise<Bench & { gates: Record<string, PromiseWithResolvers<unknown>>; signals: AbortSignal[] }> {
  const gates = Object.fromEntries(names.map((name) => [name, Promise.withResolvers<unknown>()]));
  const signals: AbortSignal[] = [];
  const handler = callable((name: string, ctx: { signal: AbortSignal }) => (signals.push(ctx.signal), gates[name]!.promise));
  const hooks = { onStop: onStop.map((name) => hook(name, () => {})) };
  return Object.assign(await readyWorker(moduleOf(handler, hooks), { concurrencyMax: 4 }), { gates, signals });
}

/** The frames of odd streams, as `type stream`. */
const answered = (peer: TestPeer): string[] =>
  peer.frames
    .filter(({ stream }) => stream % 2 === 1)
    .map(({ type, stream }) => `${Object.keys(FRAME).find((name) => FRAME[name as keyof typeof FRAME] === type)} ${stream}`);

test("a durable input goes on while the server is away, and its answer goes out on the stream that WELCOME gives it", async () => {
  const bench = await gated(["a"]);
  bench.peer.open("a", { ...DURABLE, taskId: "tk_a", attempt: 3 });
  await bench.peer.synced();
  await bench.lose();
  bench.gates.a!.resolve({ done: true });
  await turn();
  const { peer, hello } = await bench.redial();
  expect(hello).toMatchObject({ resumed: true, held: [{ taskId: "tk_a", attempt: 3, resumable: true }] });
  peer.takeBack([7]);
  expect(text(await peer.answer(7))).toBe('{"done":true}');
  expect(bench.signals[0]!.aborted).toBe(false);
  expect(text(await peer.call("a"))).toBe('{"done":true}');
});

test.each(["before HELLO", "between HELLO and WELCOME", "after WELCOME"])("one that ends %s answers on its stream, also with what it throws", async (when) => {
  const bench = await gated(["returns", "throws"]);
  const settle = async (at: string): Promise<void> => {
    if (at !== when) return;
    bench.gates.returns!.resolve("fine");
    bench.gates.throws!.reject(new RangeError("not fine"));
    await turn();
  };
  for (const name of ["returns", "throws"]) bench.peer.open(name, DURABLE);
  await bench.peer.synced();
  await bench.lose();
  await settle("before HELLO");
  const { peer, hello } = await bench.redial();
  expect(hello.held!.map(({ resumable }) => resumable)).toEqual([true, true]);
  await settle("between HELLO and WELCOME");
  peer.takeBack([1, 3]);
  await peer.take(FRAME.ready);
  await settle("after WELCOME");
  expect(text(await peer.answer(1))).toBe("fine");
  expect(await peer.error(3)).toMatchObject({ fromHandler: true, error: { name: "RangeError", message: "not fine" } });
  expect(answered(peer).toSorted()).toEqual(["error 3", "result 1"]);
});

test("a large answer, a Response and a generator that come meanwhile wait whole for the stream", async () => {
  const results: Record<string, () => unknown> = {
    text: () => "é".repeat(200_000),
    bytes: () => new Uint8Array(300_000).fill(7),
    response: () => new Response(ReadableStream.from([Buffer.from("one "), Buffer.from("two")]), { status: 201 }),
    items: () =>
      (function* () {
        yield 1;
        yield 2;
      })(),
  };
  const bench = await gated(Object.keys(results));
  for (const name of Object.keys(results)) bench.peer.open(name, DURABLE);
  await bench.peer.synced();
  await bench.lose();
  for (const [name, make] of Object.entries(results)) bench.gates[name]!.resolve(make());
  await turn();
  const { peer, hello } = await bench.redial();
  expect(hello.held!.every(({ resumable }) => resumable)).toBe(true);
  peer.takeBack([1, 3, 5, 7]);
  const [large, bytes, response, items] = await Promise.all([1, 3, 5, 7].map((stream) => peer.answer(stream)));
  expect(text(large!)).toBe("é".repeat(200_000));
  expect(bytes!.body.equals(Buffer.alloc(300_000, 7))).toBe(true);
  expect([response!.head.status, text(response!)]).toEqual([201, "one two"]);
  expect(text(items!)).toBe("1\n2\n");
});

test("bytes that wait are the handler's no more", async () => {
  const bench = await gated(["a"]);
  bench.peer.open("a", DURABLE);
  await bench.peer.synced();
  await bench.lose();
  const scratch = new Uint8Array([1, 2, 3]);
  bench.gates.a!.resolve(scratch);
  await turn();
  scratch.fill(0);
  const { peer } = await bench.redial();
  peer.takeBack([1]);
  expect([...(await peer.answer(1)).body]).toEqual([1, 2, 3]);
});

test("what it logs while the server is away comes before its answer", async () => {
  const gate = Promise.withResolvers<void>();
  const handler = callable(async (_: unknown, ctx: { log: { info(text: string): void } }) => {
    await gate.promise;
    ctx.log.info("meanwhile");
  });
  const bench = await readyWorker(moduleOf(handler));
  bench.peer.open(null, DURABLE);
  await bench.peer.synced();
  await bench.lose();
  gate.resolve();
  await turn();
  const { peer } = await bench.redial();
  peer.takeBack([1]);
  await peer.answer(1);
  expect(peer.frames.map(({ type }) => type)).toEqual([FRAME.hello, FRAME.log, FRAME.ready, FRAME.result]);
  expect(peer.logLines.map((line) => line.text)).toEqual(["meanwhile"]);
});

test("members of a batch are resumed each on its own", async () => {
  const gate = Promise.withResolvers<void>();
  const handler = callable(async (inputs: number[]) => (await gate.promise, inputs.map((n) => n * 2)), { batch: { maxBatchSize: 2, waitMs: 10 } });
  const bench = await readyWorker(moduleOf(handler), { concurrencyMax: 2 });
  for (const n of [1, 2]) bench.peer.open(n, DURABLE);
  await bench.peer.synced();
  await bench.lose();
  gate.resolve();
  const { peer } = await bench.redial();
  peer.takeBack([1, 3]);
  expect([text(await peer.answer(1)), text(await peer.answer(3))]).toEqual(["2", "4"]);
});

/** How an input of each kind is brought to where the connection breaks, and how its handler then settles. */
const NOT_RESUMABLE: readonly { readonly what: string; run(gate: Promise<unknown>): unknown; begin(peer: TestPeer): Promise<void> }[] = [
  { what: "a call whose caller is gone", run: (gate) => gate, begin: async (peer) => void peer.open(null) },
  {
    what: "an upload that had not arrived whole",
    run: (gate) => gate,
    begin: async (peer) => void peer.open(undefined, { ...DURABLE, encoding: "raw", streamed: true }, null),
  },
  {
    what: "a generator",
    run: async function* (gate) {
      try {
        yield 1;
        yield 2;
      } finally {
        await gate;
      }
    },
    begin: async (peer) => void (await peer.take(FRAME.data, peer.open(null, { durable: true, stream: "ndjson" }))),
  },
  {
    what: "a generator that has no item yet",
    run: async function* (gate) {
      yield await gate;
    },
    begin: async (peer) => void peer.open(null, DURABLE),
  },
  {
    what: "a Response that has begun",
    run: (gate) => new Response(new ReadableStream({ start: (c) => c.enqueue(Buffer.from("x")), cancel: () => gate as Promise<void> })),
    begin: async (peer) => void (await peer.take(FRAME.data, peer.open(null, DURABLE))),
  },
  {
    what: "one that was cancelled",
    run: (gate) => gate,
    begin: async (peer) => peer.say(FRAME.cancel, { reason: "cancelled" }, peer.open(null, DURABLE)),
  },
];

// Its body is cancelled at once, and nobody waits for that: it is over before HELLO.
const OVER_AT_ONCE = "a Response that has begun";

test.each(NOT_RESUMABLE)("$what is listed while its handler runs, and only closes its stream when that has settled", async ({ what, run, begin }) => {
  const gate = Promise.withResolvers<unknown>();
  const bench = await readyWorker(moduleOf(callable(() => run(gate.promise))));
  await begin(bench.peer);
  await bench.peer.synced();
  await bench.lose();
  const { peer, hello } = await bench.redial();
  if (what === OVER_AT_ONCE) return expect(hello.held).toBeUndefined();
  expect(hello.held).toEqual([{ taskId: "tk_1", attempt: 1, resumable: false }]);
  peer.takeBack([5]);
  await peer.synced();
  expect(answered(peer)).toEqual([]);
  gate.resolve("late");
  expect(await peer.error(5)).toMatchObject(LOST);
  expect(answered(peer)).toEqual(["error 5"]);
});

test.each(["returned", "threw"])("one that is not resumable and %s before HELLO is not listed; between HELLO and WELCOME it closes its stream", async (how) => {
  const bench = await gated(["early", "late"]);
  const settle = (name: string): void => (how === "threw" ? bench.gates[name]!.reject(new Error("x")) : bench.gates[name]!.resolve("x"));
  bench.peer.open("early");
  bench.peer.open("late", { taskId: "tk_late" });
  await bench.peer.synced();
  await bench.lose();
  settle("early");
  await turn();
  const { peer, hello } = await bench.redial();
  expect(hello.held).toEqual([{ taskId: "tk_late", attempt: 1, resumable: false }]);
  settle("late");
  await turn();
  peer.takeBack([3]);
  expect(await peer.error(3)).toMatchObject(LOST);
  await peer.synced();
  expect(answered(peer)).toEqual(["error 3"]);
});

test("an upload that had arrived whole is resumable, read or not", async () => {
  const gate = Promise.withResolvers<void>();
  const handler = callable(async (_: unknown, ctx: { request: Request }) => (await gate.promise, (await ctx.request.bytes()).length));
  const bench = await readyWorker(moduleOf(handler));
  const request = { method: "POST", url: "http://h/", headers: [] };
  const stream = bench.peer.open(undefined, { ...DURABLE, encoding: "raw", streamed: true, request }, null);
  bench.peer.send(FRAME.data, stream, Buffer.alloc(700_000));
  bench.peer.send(FRAME.end, stream);
  await bench.peer.synced();
  await bench.lose();
  const { peer, hello } = await bench.redial();
  expect(hello.held).toMatchObject([{ resumable: true }]);
  peer.takeBack([1]);
  gate.resolve();
  expect(text(await peer.answer(1))).toBe("700000");
});

test("a cancel on the new stream fires the signal, and the stream is over when the handler has settled", async () => {
  const bench = await gated(["task", "call"]);
  bench.peer.open("task", DURABLE);
  bench.peer.open("call");
  await bench.peer.synced();
  await bench.lose();
  const { peer } = await bench.redial();
  peer.takeBack([1, 3]);
  for (const stream of [1, 3]) peer.say(FRAME.cancel, { reason: "timeout" }, stream);
  await peer.synced();
  expect(bench.signals.map(({ reason }) => (reason as DOMException).name)).toEqual(["TimeoutError", "TimeoutError"]);
  expect(answered(peer)).toEqual([]);
  bench.gates.task!.reject(new Error("stopped"));
  expect(await peer.error(1)).toMatchObject({ error: { code: "timeout" } });
  bench.gates.call!.reject(new Error("stopped"));
  expect(await peer.error(3)).toMatchObject(LOST);
});

/** An answer of 3 MB that came while its server was away: as much of it as the window allows goes to the next one. */
async function halfSent() {
  const bench = await gated(["a"]);
  bench.peer.open("a", DURABLE);
  await bench.peer.synced();
  await bench.lose();
  bench.gates.a!.resolve("x".repeat(3_000_000));
  const { peer } = await bench.redial();
  peer.takeBack([1]);
  await peer.take(FRAME.data, 1);
  return { bench, peer };
}

test("a window on the new stream lets a large answer go on", async () => {
  const { peer } = await halfSent();
  for (let i = 0; i < 30; i++) await peer.synced();
  expect(peer.frames.filter(({ type }) => type === FRAME.data)).toHaveLength(16);
  peer.say(FRAME.window, { bytes: 2_000_000 }, 1);
  await peer.take(FRAME.end, 1);
});

test("a second loss before WELCOME, and one after it, change nothing for what has not begun to answer", async () => {
  const bench = await gated(["done", "runs", "call"]);
  bench.peer.open("done", DURABLE);
  bench.peer.open("runs", DURABLE);
  bench.peer.open("call");
  await bench.peer.synced();
  await bench.lose();
  bench.gates.done!.resolve("kept");
  const expected = (await bench.redial()).hello.held;
  expect(expected!.map(({ resumable }) => resumable)).toEqual([true, true, false]);
  await bench.lose();
  const second = await bench.redial();
  expect(second.hello.held).toEqual(expected);
  second.peer.takeBack([1, 3, 5]);
  expect(text(await second.peer.answer(1))).toBe("kept");
  await bench.lose();
  const third = await bench.redial();
  expect(third.hello.held).toEqual(expected!.slice(1));
  third.peer.takeBack([9, 11]);
  bench.gates.runs!.resolve("in the end");
  bench.gates.call!.resolve("x");
  expect(text(await third.peer.answer(9))).toBe("in the end");
  expect(await third.peer.error(11)).toMatchObject(LOST);
});

test("a connection that breaks in the same moment as it was welcomed leaves what is kept, also a Response", async () => {
  const bench = await gated(["a", "b"]);
  for (const name of ["a", "b"]) bench.peer.open(name, DURABLE);
  await bench.peer.synced();
  await bench.lose();
  bench.gates.a!.resolve("kept");
  bench.gates.b!.resolve(new Response("kept, too", { status: 202 }));
  await turn();
  const bad = await bench.redial();
  bad.peer.socket.write(Buffer.concat([encodeFrame(FRAME.welcome, 0, encodeValue({ protocol: 1, streams: [1, 3] })), Buffer.alloc(9, 0xff)]));
  await bad.peer.closed;
  const { peer, hello } = await bench.redial();
  expect(hello.held).toEqual(bad.hello.held);
  peer.takeBack([5, 7]);
  expect(text(await peer.answer(5))).toBe("kept");
  expect(text(await peer.answer(7))).toBe("kept, too");
});

test("an answer that was half sent at the second loss is not begun again", async () => {
  const { bench } = await halfSent();
  await bench.lose();
  expect((await bench.redial()).hello.held).toBeUndefined();
});

test.each([
  ["no streams", undefined],
  ["fewer streams than were asked for", [1]],
])("a server that gives %s has the rest cancelled as disconnected and their answers dropped", async (_, streams) => {
  const names = ["first", "kept", "runs", "call"];
  const bench = await gated(names);
  for (const name of names) bench.peer.open(name, name === "call" ? {} : DURABLE);
  await bench.peer.synced();
  await bench.lose();
  bench.gates.kept!.resolve("dropped");
  await turn();
  const { peer } = await bench.redial();
  peer.takeBack(streams);
  await peer.synced();
  expect(bench.signals.map(({ aborted }) => aborted)).toEqual([streams === undefined, true, true, true]);
  for (const name of names) bench.gates[name]!.resolve("x");
  expect(text(await peer.call("first", {}))).toBe("x");
  expect(answered(peer)).toEqual([...(streams ? ["result 1"] : []), `result ${streams ? 3 : 1}`]);
});

test.each([
  ["an even number", [2]],
  ["one number twice", [1, 1]],
  ["more numbers than were asked for", [1, 3, 5]],
  ["no list", { 0: 1 }],
])("%s for streams is malformed: the worker comes back with all that it holds", async (_, streams) => {
  const bench = await gated(["a", "b"]);
  for (const name of ["a", "b"]) bench.peer.open(name, DURABLE);
  await bench.peer.synced();
  await bench.lose();
  const bad = await bench.redial();
  bad.peer.say(FRAME.welcome, { protocol: 1, streams });
  await bad.peer.closed;
  const { peer, hello } = await bench.redial();
  expect(hello.held).toEqual(bad.hello.held);
  peer.takeBack([1, 3]);
  for (const name of ["a", "b"]) bench.gates[name]!.resolve(name);
  expect([text(await peer.answer(1)), text(await peer.answer(3))]).toEqual(["a", "b"]);
});

test("a server that stays away is lost with the answers kept for it: how many is logged, what runs is aborted, stop hooks run", async () => {
  const bench = await gated(["kept", "failed", "runs"], ["bye"]);
  const logged = vi.spyOn(bench.worker.log, "line");
  for (const name of ["kept", "failed", "runs"]) bench.peer.open(name, DURABLE);
  await bench.peer.synced();
  bench.away = true;
  await bench.lose();
  bench.gates.kept!.resolve("x");
  bench.gates.failed!.reject(new Error("x"));
  await turn();
  bench.clock.advance(10_000);
  expect(bench.worker.state).toBe("draining");
  expect(logged).toHaveBeenCalledWith({ kind: "system" }, "error", "The worker ends: The server stayed away for 10 s. Answers kept for it and dropped: 2");
  await turn();
  bench.clock.advance(10_000);
  expect(bench.signals.map(({ aborted }) => aborted)).toEqual([false, false, true]);
  bench.gates.runs!.reject(new Error("aborted"));
  expect(await bench.worker.ended).toBe(0);
});

test("a worker that is refused drops what it kept and ends when nothing runs", async () => {
  const bench = await gated(["kept"]);
  bench.peer.open("kept", DURABLE);
  await bench.peer.synced();
  await bench.lose();
  bench.gates.kept!.resolve("x");
  await turn();
  const { peer } = await bench.redial();
  peer.say(FRAME.reject, { reason: "not awaited" });
  expect(await bench.worker.ended).toBe(0);
});

test("a worker that drains keeps its answer for the server, and stops when that has taken it", async () => {
  const bench = await gated(["a"]);
  bench.peer.open("a", DURABLE);
  await bench.peer.synced();
  await bench.lose();
  bench.worker.requestStop("stop");
  bench.gates.a!.resolve("kept");
  await turn();
  expect(bench.worker.state).toBe("draining");
  const { peer } = await bench.redial();
  peer.takeBack([1]);
  expect(await peer.message(FRAME.drain)).toEqual({ reason: "stop" });
  expect(text(await peer.answer(1))).toBe("kept");
  await peer.take(FRAME.stopped);
  expect(await bench.worker.ended).toBe(0);
});

const CUT_CALLS: Record<string, (call: () => Promise<unknown>) => unknown> = {
  "the call's own error": (call) => call(),
  "an error that it caused": (call) => call().catch((cause: unknown) => Promise.reject(new Error("could not ask", { cause: new Error("deeper", { cause }) }))),
};

test.each(Object.keys(CUT_CALLS))("a durable handler that fails with %s, cut off by the loss, is given back and not blamed", async (how) => {
  const handler = callable(() => CUT_CALLS[how]!(() => transport().call({ kind: "function", name: "other" }, 1, {})));
  const bench = await readyWorker(moduleOf(handler));
  bench.peer.open(null, DURABLE);
  await bench.peer.take(FRAME.open);
  await bench.lose();
  const { peer, hello } = await bench.redial();
  expect(hello.held).toMatchObject([{ resumable: true }]);
  peer.takeBack([1]);
  const error = await peer.error(1);
  expect(error).toMatchObject({ retryable: true, error: { code: "drained" } });
  expect(error.fromHandler).toBeUndefined();
  expect(peer.logLines.some((line) => line.level === "error" && line.text.includes("connection to the server was lost"))).toBe(true);
});

test("the same error is the handler's own where it comes from an earlier loss, and where its cause is something else", async () => {
  const gate = Promise.withResolvers<void>();
  let remembered: Promise<unknown> | undefined;
  const handler = callable((what: string) => {
    if (what === "other") return gate.promise.then(() => Promise.reject(new Error("its own", { cause: new RangeError("x") })));
    return (remembered ??= transport().call({ kind: "function", name: "other" }, 1, {}));
  });
  const bench = await readyWorker(moduleOf(handler), { concurrencyMax: 2 });
  bench.peer.open("first", DURABLE);
  await bench.peer.take(FRAME.open);
  bench.peer.open("other", DURABLE);
  await bench.peer.synced();
  await bench.lose();
  const { peer } = await bench.redial();
  gate.resolve();
  peer.takeBack([1, 3]);
  expect((await peer.error(1)).fromHandler).toBeUndefined();
  expect((await peer.error(3)).fromHandler).toBe(true);
  await expect(peer.call("again", DURABLE)).rejects.toMatchObject({ fromHandler: true, error: { code: "server_unreachable" } });
});
