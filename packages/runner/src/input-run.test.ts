import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { FRAME, ItemDecoder, decodeValue, encodeValue, fromSerializedError, type ErrorMessage, type LogMessageLine } from "@samovar/protocol";
import { callable, hook, moduleOf } from "./testing/definitions.fixture.ts";
import { readyWorker } from "./testing/in-memory.fixture.ts";

type Ctx = {
  signal: AbortSignal;
  request: Request | undefined;
  taskId: string;
  attempt: number;
  callbackUrl: string | null;
  timeout: number | null;
  deadline: Date | null;
  log: { info(m: string, f?: object): void };
};

const text = (answer: { body: Buffer }): string => answer.body.toString();
const contentType = (answer: { head: { headers: readonly (readonly [string, string])[] } }): string | undefined =>
  answer.head.headers.find(([name]) => name === "content-type")?.[1];

test("results take the form that HTTP expects of them", async () => {
  const results: Record<string, unknown> = {
    nothing: undefined,
    null: null,
    string: "héllo",
    bytes: new Uint8Array([1, 2, 3]),
    buffer: new Uint8Array([4]).buffer,
    object: { a: [1, undefined], b: undefined },
    zero: 0,
  };
  const { peer } = await readyWorker(moduleOf(callable((name: string) => results[name])));
  const answers = Object.fromEntries(await Promise.all(Object.keys(results).map(async (name) => [name, await peer.call(name)] as const)));
  expect(answers.nothing).toEqual({ head: { status: 204, headers: [] }, body: Buffer.alloc(0) });
  expect([text(answers.null!), contentType(answers.null!)]).toEqual(["null", "application/json"]);
  expect([text(answers.string!), contentType(answers.string!)]).toEqual(["héllo", "text/plain; charset=utf-8"]);
  expect([[...answers.bytes!.body], contentType(answers.bytes!)]).toEqual([[1, 2, 3], "application/octet-stream"]);
  expect([...answers.buffer!.body]).toEqual([4]);
  expect(text(answers.object!)).toBe('{"a":[1,null]}');
  expect(text(answers.zero!)).toBe("0");
});

test("a Response goes out with its status, headers and body", async () => {
  const handler = callable(
    () =>
      new Response("made", {
        status: 201,
        headers: [
          ["x-a", "1"],
          ["set-cookie", "a=1"],
          ["set-cookie", "b=2"],
        ],
      }),
  );
  const { peer } = await readyWorker(moduleOf(handler));
  const answer = await peer.call(null);
  expect(answer.head.status).toBe(201);
  expect(answer.head.headers.filter(([name]) => name === "set-cookie").map(([, value]) => value)).toEqual(["a=1", "b=2"]);
  expect(text(answer)).toBe("made");
  await expect(peer.call(null, { reply: "value" })).rejects.toMatchObject({ error: { code: "unserializable_result" } });
});

test("a length that a Response claims is left to who sends it, its encoding is kept", async () => {
  const handler = callable(() => new Response("x", { headers: { "content-length": "500", "content-encoding": "identity", "x-a": "1" } }));
  const { peer } = await readyWorker(moduleOf(handler));
  const names = (await peer.call(null)).head.headers.map(([name]) => name);
  expect(names).not.toContain("content-length");
  expect(names).toEqual(expect.arrayContaining(["content-encoding", "x-a"]));
});

test("strings in a returned stream go out as UTF-8", async () => {
  const chunks = (): ReadableStream => ReadableStream.from(["hé", new Uint8Array([0x6c]), "", "lo"]);
  for (const result of [() => new Response(chunks()), chunks]) {
    const { peer } = await readyWorker(moduleOf(callable(result)));
    expect(text(await peer.call(null))).toBe("héllo");
  }
});

test("other chunks in a returned stream are refused, before the head where the first is one, and its source is told", async () => {
  const cancelled = Promise.withResolvers<unknown>();
  const body = (): ReadableStream => new ReadableStream({ start: (controller) => controller.enqueue({ a: 1 }), cancel: cancelled.resolve });
  const { peer } = await readyWorker(moduleOf(callable(() => new Response(body()))));
  await expect(peer.call(null)).rejects.toMatchObject({ error: { code: "unserializable_result", message: expect.stringContaining('{"a":1}') } });
  expect(peer.frames.some((frame) => frame.type === FRAME.head)).toBe(false);
  expect(await cancelled.promise).toMatchObject({ code: "unserializable_result" });
});

test("the head of a stream that has nothing yet goes out at once", async () => {
  const { peer } = await readyWorker(moduleOf(callable(() => new Response(new ReadableStream()))));
  expect(await peer.take(FRAME.head, peer.open(null))).toBeDefined();
});

test("a handle gets a value as it is, Date and Map included", async () => {
  const { peer } = await readyWorker(moduleOf(callable((input: unknown) => input)));
  const value = { at: new Date(5), map: new Map([["k", 1n]]), none: undefined };
  const answer = await peer.call(null, { encoding: "value", reply: "value" }, encodeValue(value));
  expect(decodeValue(answer.body)).toEqual(value);
});

test("a body that is not JSON, an input that fails its schema and a result that can't be sent have codes of their own", async () => {
  const validateInput = (value: unknown) =>
    typeof value === "number" ? { value: value + 1 } : { issues: [{ message: "not a number", path: ["a", { key: 0 }] }] };
  const handler = callable((n: number) => (n === 2 ? { m: new Map() } : n), {
    validateInput,
    validateOutput: (value) => (value === 3 ? { issues: [{ message: "no threes" }] } : { value }),
  });
  const { peer } = await readyWorker(moduleOf(handler));
  await expect(peer.call(null, {}, Buffer.from("{oops"))).rejects.toMatchObject({ error: { code: "invalid_json" }, retryable: false });
  await expect(peer.call("x")).rejects.toMatchObject({
    error: { code: "invalid_input", fields: { issues: [{ message: "not a number", path: ["a", 0] }] } },
    retryable: false,
  });
  await expect(peer.call(1)).rejects.toMatchObject({
    error: { code: "unserializable_result", message: expect.stringContaining("$.m is a Map") },
    retryable: false,
  });
  await expect(peer.call(2)).rejects.toMatchObject({ error: { code: "invalid_output" } });
  expect(text(await peer.call(4))).toBe("5");
});

test("what JSON has no form for is a value where the answer is kept, so that work that was done is not lost", async () => {
  const { peer } = await readyWorker(moduleOf(callable(() => new Map([["at", new Date(0)]]))));
  const { head, body } = await peer.call(null, { kept: true });
  expect(head).toMatchObject({ status: 200, headers: [["content-type", "application/vnd.samovar.value"]] });
  expect(decodeValue(body)).toEqual(new Map([["at", new Date(0)]]));
});

test("what a handler throws crosses with name, message, stack and cause, and is marked as the handler's", async () => {
  class Mine extends Error {
    override name = "Mine";
  }
  const handler = callable(
    (what: string) => {
      if (what === "string") throw "just text";
      throw new Mine("broke", { cause: new TypeError("root") });
    },
    { retryOn: (error) => !(error instanceof Mine) },
  );
  const { peer } = await readyWorker(moduleOf(handler));
  const error = (await peer.call("x").catch((e: unknown) => e)) as ErrorMessage;
  expect(error).toMatchObject({
    fromHandler: true,
    retryable: false,
    error: { name: "Mine", message: "broke", cause: { name: "TypeError", message: "root" } },
  });
  expect(fromSerializedError(error.error).stack).toContain("input-run.test.ts");
  await expect(peer.call("string")).rejects.toMatchObject({ fromHandler: true, retryable: true, error: { message: "A non-error was thrown: just text" } });
  expect(peer.logLines.filter((line) => line.level === "error").map((line) => line.source)).toContainEqual({ kind: "input", taskId: "tk_1" });
});

test("the context tells the input's own facts, and the caller's request", async () => {
  const handler = callable(async (input: unknown, ctx: Ctx) => ({
    input,
    taskId: ctx.taskId,
    attempt: ctx.attempt,
    timeout: ctx.timeout,
    deadline: ctx.deadline?.getTime(),
    method: ctx.request?.method,
    path: ctx.request && new URL(ctx.request.url).pathname,
    header: ctx.request?.headers.get("x-y"),
    body: await ctx.request?.text(),
  }));
  const { peer } = await readyWorker(moduleOf(handler));
  const head = {
    taskId: "tk_a",
    attempt: 2,
    timeoutMs: 1_500,
    deadlineMs: 99,
    request: { method: "POST", url: "http://h/p?q", headers: [["x-y", "z"]] as const },
  };
  expect(JSON.parse(text(await peer.call({ a: 1 }, head)))).toEqual({
    input: { a: 1 },
    taskId: "tk_a",
    attempt: 2,
    timeout: 1.5,
    deadline: 99,
    method: "POST",
    path: "/p",
    header: "z",
    body: '{"a":1}',
  });
});

test("where its end is told is known to a task; a call answers its caller and is told nowhere", async () => {
  const handler = callable((_: unknown, ctx: Ctx) => ctx.callbackUrl);
  const { peer } = await readyWorker(moduleOf(handler), { callbackUrl: "https://example.com" });
  expect(text(await peer.call(1, { durable: true }))).toBe("https://example.com");
  expect(text(await peer.call(1))).toBe("null");
});

test("a raw body that is streamed is read through ctx.request, under flow control", async () => {
  const gate = Promise.withResolvers<void>();
  const handler = callable(async (input: unknown, ctx: Ctx) => {
    await gate.promise;
    return { input: input ?? null, size: (await ctx.request!.arrayBuffer()).byteLength };
  });
  const { peer } = await readyWorker(moduleOf(handler));
  const stream = peer.open(undefined, { encoding: "raw", streamed: true, request: { method: "PUT", url: "http://h/", headers: [] } }, null);
  const chunk = Buffer.alloc(64 * 1024);
  for (let i = 0; i < 16; i++) peer.send(FRAME.data, stream, chunk);
  peer.send(FRAME.ping, 0);
  await peer.take(FRAME.pong);
  expect(peer.frames.some((frame) => frame.type === FRAME.window)).toBe(false);
  gate.resolve();
  await peer.take(FRAME.window, stream);
  for (let i = 0; i < 4; i++) peer.send(FRAME.data, stream, chunk);
  peer.send(FRAME.end, stream);
  expect(JSON.parse(text(await peer.answer(stream)))).toEqual({ input: null, size: 20 * chunk.length });
});

test("a large JSON body that comes in pieces is parsed when it is whole", async () => {
  const { peer } = await readyWorker(moduleOf(callable((input: string) => input.length)));
  const stream = peer.open(undefined, { streamed: true }, null);
  const json = Buffer.from(JSON.stringify("x".repeat(300_000)));
  peer.send(FRAME.data, stream, json.subarray(0, 1_000));
  peer.send(FRAME.data, stream, json.subarray(1_000));
  peer.send(FRAME.end, stream);
  expect(text(await peer.answer(stream))).toBe("300000");
});

test("a large result is sent as the window allows", async () => {
  const { peer } = await readyWorker(moduleOf(callable(() => "é".repeat(1_500_000))));
  const stream = peer.open(null);
  await peer.take(FRAME.head, stream);
  let received = 0;
  while (received < 1024 * 1024) received += (await peer.take(FRAME.data, stream)).payload.length;
  expect(received).toBe(1024 * 1024);
  await turn();
  peer.send(FRAME.ping, 0);
  await peer.take(FRAME.pong);
  expect(peer.frames.filter((frame) => frame.type === FRAME.data)).toHaveLength(16);
  peer.say(FRAME.window, { bytes: 10_000_000 }, stream);
  while (received < 3_000_000) received += (await peer.take(FRAME.data, stream)).payload.length;
  await peer.take(FRAME.end, stream);
});

test("a generator's items go out in each form, sync or async", async () => {
  const handler = callable((form: string) =>
    form === "sync"
      ? (function* () {
          yield 1;
          yield { b: 2 };
        })()
      : (async function* () {
          yield 1;
          yield { b: 2 };
        })(),
  );
  const { peer } = await readyWorker(moduleOf(handler));
  const ndjson = await peer.call("sync");
  expect([text(ndjson), contentType(ndjson), ndjson.head.items]).toEqual(['1\n{"b":2}\n', "application/x-ndjson", true]);
  const sse = await peer.call("async", { stream: "sse" });
  expect([text(sse), contentType(sse)]).toEqual(['data: 1\n\ndata: {"b":2}\n\nevent: end\ndata: {}\n\n', "text/event-stream"]);
  const decoder = new ItemDecoder();
  expect(decoder.push((await peer.call("async", { stream: "values", reply: "value" })).body)).toEqual([1, { b: 2 }]);
  expect(decoder.ended).toBe(true);
});

test("what a generator throws before its first item is an error; after it, the last item, and told to the server", async () => {
  const handler = callable(async function* (at: number) {
    if (at === 0) throw new RangeError("early");
    yield 1;
    throw new RangeError("late");
  } as never);
  const { peer } = await readyWorker(moduleOf(handler));
  await expect(peer.call(0)).rejects.toMatchObject({ fromHandler: true, error: { message: "early" } });
  expect(text(await peer.call(1))).toBe('1\n{"error":{"name":"RangeError","message":"late","code":"handler_error"}}\n');
  expect(text(await peer.call(1, { stream: "sse" }))).toMatch(/event: error\ndata: [^\n]*\n\n$/);
  const decoder = new ItemDecoder();
  expect(decoder.push((await peer.call(1, { stream: "values", reply: "value" })).body)).toEqual([1]);
  expect(() => decoder.finish()).toThrow("late");
  const ends = peer.frames.filter((frame) => frame.type === FRAME.end);
  expect(ends.map((frame) => (decodeValue(frame.payload) as { error: { message: string } }).error.message)).toEqual(["late", "late", "late"]);
});

test("a generator without items is an empty stream, not an error", async () => {
  const { peer } = await readyWorker(moduleOf(callable(() => (function* () {})())));
  expect(await peer.call(null)).toMatchObject({ head: { status: 200 }, body: Buffer.alloc(0) });
});

test("a generator whose reader does not read is not advanced, and a cancel runs its finally where it stands", async () => {
  let advanced = 0;
  const ended = Promise.withResolvers<void>();
  const handler = callable(async function* () {
    try {
      for (;;) {
        advanced++;
        yield "x".repeat(100_000);
      }
    } finally {
      await turn();
      ended.resolve();
    }
  } as never);
  const { peer } = await readyWorker(moduleOf(handler));
  const stream = peer.open(null);
  let received = 0;
  while (received < 1024 * 1024) received += (await peer.take(FRAME.data, stream)).payload.length;
  for (let i = 0; i < 10; i++) await turn();
  expect(advanced).toBe(11);
  peer.say(FRAME.cancel, { reason: "disconnected" }, stream);
  await ended.promise;
  expect(await peer.error(stream)).toMatchObject({ error: { code: "cancelled" } });
  expect(advanced).toBe(11);
});

test("a generator that never waits still hears that its reader left", async () => {
  const ended = Promise.withResolvers<void>();
  const handler = callable(function* () {
    try {
      for (;;) yield 1;
    } finally {
      ended.resolve();
    }
  } as never);
  const { peer } = await readyWorker(moduleOf(handler));
  const stream = peer.open(null);
  await peer.take(FRAME.data, stream);
  peer.say(FRAME.cancel, { reason: "disconnected" }, stream);
  await ended.promise;
  expect(await peer.error(stream)).toMatchObject({ error: { code: "cancelled" } });
});

test.each([
  ["timeout", "TimeoutError", "timeout"],
  ["cancelled", "AbortError", "cancelled"],
  ["disconnected", "AbortError", "cancelled"],
  ["drained", "AbortError", "drained"],
] as const)("%s aborts the signal with a %s and is answered with the code %s when the handler has settled", async (reason, name, code) => {
  const reasons: DOMException[] = [];
  const entered = Promise.withResolvers<void>();
  const handler = callable((_: unknown, ctx: Ctx) => {
    entered.resolve();
    return new Promise((_, reject) =>
      ctx.signal.addEventListener("abort", () => (reasons.push(ctx.signal.reason as DOMException), reject(new Error("stopped")))),
    );
  });
  const { peer } = await readyWorker(moduleOf(handler));
  const stream = peer.open(null, { timeoutMs: 1_000 });
  await entered.promise;
  peer.say(FRAME.cancel, { reason }, stream);
  expect(await peer.error(stream)).toMatchObject({ error: { code } });
  expect(reasons.map((r) => r.name)).toEqual([name]);
});

test("a caller that leaves cancels the body of a Response, also while nothing comes of it", async () => {
  const cancelled = Promise.withResolvers<void>();
  const body = (): ReadableStream => new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array([1])), cancel: () => cancelled.resolve() });
  const { peer } = await readyWorker(moduleOf(callable(() => new Response(body()))));
  const stream = peer.open(null);
  await peer.take(FRAME.data, stream);
  peer.say(FRAME.cancel, { reason: "disconnected" }, stream);
  await cancelled.promise;
  expect(await peer.error(stream)).toMatchObject({ error: { code: "cancelled" } });
});

test("a Response that is returned after the cancel is not waited for: its body is cancelled, and the input over", async () => {
  const cancelled = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<Response>();
  const { peer } = await readyWorker(moduleOf(callable(() => gate.promise)));
  const stream = peer.open(null);
  peer.say(FRAME.cancel, { reason: "disconnected" }, stream);
  await peer.synced();
  gate.resolve(new Response(new ReadableStream({ cancel: () => cancelled.resolve() })));
  await cancelled.promise;
  expect(await peer.error(stream)).toMatchObject({ error: { code: "cancelled" } });
});

test("other inputs of the worker are not disturbed by a cancel", async () => {
  const gate = Promise.withResolvers<string>();
  const { peer } = await readyWorker(
    moduleOf(callable((_: unknown, ctx: Ctx) => Promise.race([gate.promise, new Promise((_, reject) => ctx.signal.addEventListener("abort", reject))]))),
    { concurrencyMax: 2 },
  );
  const one = peer.open(null);
  const two = peer.open(null);
  peer.say(FRAME.cancel, { reason: "cancelled" }, one);
  await peer.error(one);
  gate.resolve("fine");
  expect(text(await peer.answer(two))).toBe("fine");
});

test("log lines belong to the input that wrote them", async () => {
  const { peer } = await readyWorker(
    moduleOf(
      callable(async (_: unknown, ctx: Ctx) => {
        await turn();
        ctx.log.info("hello", { n: 1n });
      }),
      { onStart: [hook("warm", (ctx: never) => (ctx as Ctx).log.info("warming"))] },
    ),
    { concurrencyMax: 2 },
  );
  await Promise.all([peer.call(1), peer.call(2)]);
  const shown = peer.logLines.map((line: LogMessageLine) => [line.source, line.stream, line.text]);
  expect(shown).toEqual([
    [{ kind: "hook", hook: "warm", phase: "start" }, "log", "warming"],
    [{ kind: "input", taskId: "tk_1" }, "log", 'hello {"n":"1"}'],
    [{ kind: "input", taskId: "tk_3" }, "log", 'hello {"n":"1"}'],
  ]);
});

test("a batch runs when it is full or its first input waited long enough, and single items may fail", async () => {
  const sizes: number[] = [];
  const handler = callable(
    (inputs: number[]) => {
      sizes.push(inputs.length);
      return inputs.map((n) => (n < 0 ? Object.assign(new Error("negative"), { name: "BatchError" }) : n * 2));
    },
    { batch: { maxBatchSize: 3, waitMs: 50 } },
  );
  const { peer, clock } = await readyWorker(moduleOf(handler), { concurrencyMax: 3 });
  const full = await Promise.allSettled([peer.call(1), peer.call(-1), peer.call(3)]);
  expect(full.map((r) => (r.status === "fulfilled" ? text(r.value) : (r.reason as ErrorMessage).error.message))).toEqual(["2", "negative", "6"]);
  const late = peer.call(5);
  while (clock.pending === 0) await turn();
  clock.advance(50);
  expect(text(await late)).toBe("10");
  expect(sizes).toEqual([3, 1]);
});

test("a batch handler that returns the wrong number of results fails them all, by a code", async () => {
  const { peer } = await readyWorker(moduleOf(callable(() => [1], { batch: { maxBatchSize: 2, waitMs: 10 } })), { concurrencyMax: 2 });
  const results = await Promise.allSettled([peer.call(1), peer.call(2)]);
  for (const result of results) expect(result).toMatchObject({ status: "rejected", reason: { error: { code: "batch_mismatch" } } });
});

test("an input that is cancelled while its batch gathers leaves it", async () => {
  const { peer, clock } = await readyWorker(moduleOf(callable((inputs: number[]) => inputs, { batch: { maxBatchSize: 9, waitMs: 10 } })), {
    concurrencyMax: 9,
  });
  const stream = peer.open(1);
  const other = peer.call(2);
  peer.say(FRAME.cancel, { reason: "cancelled" }, stream);
  expect(await peer.error(stream)).toMatchObject({ error: { code: "cancelled" } });
  clock.advance(10);
  expect(text(await other)).toBe("2");
});
