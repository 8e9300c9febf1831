import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import {
  FRAME,
  MAX_FRAME_BYTES,
  SERVER_AWAY_MS,
  SamovarError,
  decodeValue,
  encodeItem,
  encodeItemError,
  encodeValue,
  splitHeadBody,
  type AnswerHead,
  type CallHead,
  type CallTransport,
} from "@samovar/protocol";
import { isCutCall } from "./calls.ts";
import { createWorkerRuntime } from "./scope.ts";
import { callable, moduleOf } from "./testing/definitions.fixture.ts";
import { readyWorker, type Bench } from "./testing/in-memory.fixture.ts";
import type { TestPeer } from "./testing/test-peer.fixture.ts";

const runtime = createWorkerRuntime(() => undefined);
const target = { kind: "function", name: "other" } as const;
const VALUE: AnswerHead = { status: 200, headers: [["content-type", "application/vnd.samovar.value"]] };
const VALUES: AnswerHead = { status: 200, headers: [["content-type", "application/vnd.samovar.values"]], items: true };

/** A worker whose handler is the test's own code, so that it calls from inside an input. */
async function inside(run: (transport: CallTransport) => unknown, ids: Record<string, string> = {}): Promise<Bench & { answer: ReturnType<TestPeer["call"]> }> {
  const bench = await readyWorker(moduleOf(callable(() => run(runtime.transport!))), { functionIds: ids });
  const answer = bench.peer.call(null);
  answer.catch(() => {});
  return Object.assign(bench, { answer });
}

async function takeCall(peer: TestPeer): Promise<{ stream: number; head: CallHead; input: unknown }> {
  const frame = await peer.take(FRAME.open);
  const { head, body } = splitHeadBody(frame.payload);
  return { stream: frame.stream, head: decodeValue(head) as CallHead, input: body.length ? decodeValue(body) : undefined };
}

const reply = (peer: TestPeer, stream: number, value: unknown): void => peer.sendHead(FRAME.result, stream, VALUE, encodeValue(value));

test("a call goes by the id of the same deploy, on an even stream, and returns the value", async () => {
  const { peer, answer } = await inside((t) => t.call({ ...target, method: "m", parameters: [1] }, new Map([["a", 1]]), {}), { other: "fn_other" });
  const call = await takeCall(peer);
  expect(call.stream % 2).toBe(0);
  expect(call.head).toEqual({ functionName: "other", functionId: "fn_other", method: "m", parameters: [1], streaming: false });
  expect(call.input).toEqual(new Map([["a", 1]]));
  reply(peer, call.stream, "fine");
  expect((await answer).body.toString()).toBe("fine");
});

test("a remote error is thrown as it was, and passed on as the handler's own", async () => {
  const { peer, answer } = await inside((t) => t.call(target, 1, {}));
  peer.say(FRAME.error, { error: { name: "SamovarError", message: "too slow", code: "timeout" }, retryable: true }, (await takeCall(peer)).stream);
  await expect(answer).rejects.toMatchObject({ fromHandler: true, error: { code: "timeout", message: "too slow" } });
});

test("scaling goes the same way, with what changes as its body", async () => {
  const { peer, answer } = await inside((t) => t.scale(target, { minContainers: 2, maxContainers: null }), { other: "fn_other" });
  const call = await takeCall(peer);
  expect(call.head).toEqual({ kind: "scale", functionName: "other", functionId: "fn_other", streaming: false });
  expect(call.input).toEqual({ minContainers: 2, maxContainers: null });
  reply(peer, call.stream, { id: "fn_other" });
  expect((await answer).head.status).toBe(204);
});

test("a change of scaling that the server refuses is thrown", async () => {
  const { peer, answer } = await inside((t) => t.scale(target, { minContainers: 2 }));
  peer.say(FRAME.error, { error: { name: "SamovarError", message: "too many", code: "invalid_option" }, retryable: false }, (await takeCall(peer)).stream);
  await expect(answer).rejects.toMatchObject({ fromHandler: true, error: { code: "invalid_option", message: "too many" } });
});

test("inputs are put the same way, and answered with their tasks", async () => {
  const { peer, answer } = await inside((t) => t.put({ ...target, method: "m", parameters: [1] }, [{ input: new Map([[1, 2]]), delayMs: 5 }, {}], {}), {
    other: "fn_other",
  });
  const call = await takeCall(peer);
  expect(call.head).toEqual({ kind: "put", functionName: "other", functionId: "fn_other", method: "m", parameters: [1], streaming: false });
  expect(call.input).toEqual({ tasks: [{ encodedInput: Uint8Array.from(encodeValue(new Map([[1, 2]]))), delayMs: 5 }, {}] });
  const tasks = [
    { id: "tk_1", created: true },
    { id: "tk_2", created: false },
  ];
  reply(peer, call.stream, { tasks });
  expect(JSON.parse((await answer).body.toString())).toEqual(tasks);
});

test("a task is asked about by its id: its result, what is known, its end", async () => {
  const { peer, answer } = await inside(async (t) => [await t.taskResult("tk_1", { timeoutMs: 5 }), await t.taskInfo("tk_1"), await t.cancelTask("tk_1")]);
  const questions: unknown[] = [];
  for (const value of ["done", { id: "tk_1" }, false]) {
    const { stream, head, input } = await takeCall(peer);
    expect(head).toEqual({ kind: "task", functionName: "tk_1", streaming: false });
    questions.push(input);
    reply(peer, stream, value);
  }
  expect(questions).toEqual([
    { ask: "result", id: "tk_1", waitMs: 5 },
    { ask: "info", id: "tk_1" },
    { ask: "cancel", id: "tk_1" },
  ]);
  expect(JSON.parse((await answer).body.toString())).toEqual(["done", { id: "tk_1" }, false]);
});

test("a result is waited for through the server's restart, in what is left of the time", async () => {
  const result = Promise.withResolvers<unknown>();
  const bench = await inside((t) => t.taskResult("tk_1", { timeoutMs: 60_000 }).then(result.resolve, result.reject));
  await takeCall(bench.peer);
  bench.clock.advance(1_000);
  bench.peer.socket.destroy();
  await bench.peer.closed;
  bench.clock.advance(1_600);
  const back = await bench.connection();
  await back.welcome();
  const { stream, input } = await takeCall(back);
  expect(input).toEqual({ ask: "result", id: "tk_1", waitMs: 57_400 });
  reply(back, stream, "done");
  expect(await result.promise).toBe("done");
});

test("a server that stays away past the time is a timeout", async () => {
  const result = Promise.withResolvers<unknown>();
  const bench = await inside((t) => t.taskResult("tk_1", { timeoutMs: 5_000 }).then(result.resolve, result.reject));
  await takeCall(bench.peer);
  bench.away = true;
  bench.peer.socket.destroy();
  await bench.peer.closed;
  await turn();
  bench.clock.advance(5_000);
  await expect(result.promise).rejects.toMatchObject({ code: "timeout", cause: { code: "server_unreachable" } });
});

test("who waits for the server is told when the worker has it again, and at once while it has it", async () => {
  const goOn = Promise.withResolvers<void>();
  const there = Promise.withResolvers<void>();
  const back = Promise.withResolvers<void>();
  const bench = await inside(async (t) => {
    await t.serverIsBack!().then(there.resolve);
    await goOn.promise;
    await t.serverIsBack!().then(back.resolve, back.reject);
  });
  await there.promise;
  bench.peer.socket.destroy();
  await bench.peer.closed;
  let isBack = false;
  void back.promise.then(() => (isBack = true));
  goOn.resolve();
  bench.clock.advance(1_600);
  const next = await bench.connection();
  expect(isBack).toBe(false);
  await next.welcome();
  await back.promise;
});

test("a server that isn't back when its worker gives it up is told as a call that was cut off, at once afterwards", async () => {
  const errors: unknown[] = [];
  const done = Promise.withResolvers<void>();
  const lost = Promise.withResolvers<void>();
  const bench = await inside(async (t) => {
    await lost.promise;
    for (let i = 0; i < 2; i++) await t.serverIsBack!().catch((error: unknown) => errors.push(error));
    done.resolve();
  });
  bench.away = true;
  bench.peer.socket.destroy();
  await bench.peer.closed;
  lost.resolve();
  await turn();
  bench.clock.advance(SERVER_AWAY_MS);
  await done.promise;
  expect(errors.map(isCutCall)).toEqual([true, true]);
});

test("a task that failed because some server was away has failed", async () => {
  const { peer, answer } = await inside((t) => t.taskResult("tk_1", {}));
  peer.say(FRAME.error, { error: { name: "SamovarError", message: "its own", code: "server_unreachable" }, retryable: true }, (await takeCall(peer)).stream);
  await expect(answer).rejects.toMatchObject({ error: { code: "server_unreachable", message: "its own" } });
});

test("an input that can't be sent is refused with its path, before anything is sent", async () => {
  const { answer, peer } = await inside((t) => t.call(target, { f: () => 1 }, {}));
  await expect(answer).rejects.toMatchObject({ error: { code: "unserializable_input", message: expect.stringContaining("$.f") } });
  expect(peer.frames.some((frame) => frame.type === FRAME.open)).toBe(false);
});

test("an input too large for one frame follows under flow control", async () => {
  const { peer, answer } = await inside((t) => t.call(target, new Uint8Array(MAX_FRAME_BYTES), {}));
  const frame = await peer.take(FRAME.open);
  expect((decodeValue(splitHeadBody(frame.payload).head) as CallHead).streamed).toBe(true);
  let size = 0;
  while (size < MAX_FRAME_BYTES) {
    const bytes = (await peer.take(FRAME.data, frame.stream)).payload.length;
    size += bytes;
    peer.say(FRAME.window, { bytes }, frame.stream);
  }
  await peer.take(FRAME.end, frame.stream);
  reply(peer, frame.stream, null);
  await answer;
});

test("an abort cancels the call at the server and throws the signal's reason", async () => {
  const controller = new AbortController();
  const { peer, answer } = await inside((t) => t.call(target, 1, { signal: controller.signal }));
  const { stream } = await takeCall(peer);
  controller.abort(new Error("enough"));
  expect(await peer.message(FRAME.cancel, stream)).toEqual({ reason: "cancelled" });
  await expect(answer).rejects.toMatchObject({ error: { message: "enough" } });
});

test("items of a stream arrive one by one; what it broke with is thrown after them", async () => {
  const seen: unknown[] = [];
  const { peer, answer } = await inside(async (t) => {
    for await (const item of t.stream(target, 1, {})) seen.push(item);
  });
  const { stream, head } = await takeCall(peer);
  expect(head.streaming).toBe(true);
  peer.sendHead(FRAME.head, stream, VALUES);
  const first = encodeItem("values", { n: 1 });
  peer.send(FRAME.data, stream, first.subarray(0, 3));
  peer.send(
    FRAME.data,
    stream,
    Buffer.concat([first.subarray(3), encodeItem("values", 2), encodeItemError("values", { name: "RangeError", message: "late" })]),
  );
  peer.send(FRAME.end, stream);
  await expect(answer).rejects.toMatchObject({ error: { name: "RangeError", message: "late" } });
  expect(seen).toEqual([{ n: 1 }, 2]);
});

test("leaving the loop ends the remote generator", async () => {
  const { peer, answer } = await inside(async (t) => {
    for await (const item of t.stream(target, 1, {})) return item;
  });
  const { stream } = await takeCall(peer);
  peer.sendHead(FRAME.head, stream, VALUES);
  peer.send(FRAME.data, stream, encodeItem("values", "first"));
  await peer.take(FRAME.cancel, stream);
  expect((await answer).body.toString()).toBe("first");
});

test("a stream that stops without its end was cut off", async () => {
  const { peer, answer } = await inside((t) => Array.fromAsync(t.stream(target, 1, {})));
  const { stream } = await takeCall(peer);
  peer.sendHead(FRAME.head, stream, VALUES);
  peer.send(FRAME.end, stream);
  await expect(answer).rejects.toMatchObject({ error: { code: "container_lost" } });
});

test("calls that run when the connection is lost fail, and so do those made while it is away", async () => {
  const errors: unknown[] = [];
  const {
    peer,
    away: _,
    ...bench
  } = await inside(async (t) => {
    for (let i = 0; i < 2; i++) await t.call(target, i, {}).catch((error: unknown) => errors.push(error));
  });
  await takeCall(peer);
  peer.socket.destroy();
  while (errors.length < 2) await turn();
  expect(errors.every((error) => error instanceof SamovarError && error.code === "server_unreachable")).toBe(true);
  await bench.worker.crash(new Error("over"));
});

test("context() and the transport are those of the code that asks", async () => {
  const handler = callable(async (_: unknown, ctx: object) => {
    await turn();
    return runtime.context() === ctx && runtime.remote;
  });
  const { peer } = await readyWorker(moduleOf(handler));
  expect((await peer.call(null)).body.toString()).toBe("true");
  expect(runtime.context()).toBeUndefined();
  expect(runtime.transport).toBeNull();
});
