import { expect, test } from "vitest";
import {
  DEFINITION,
  FRAME,
  decodeValue,
  type DoneMessage,
  type FailedMessage,
  type FunctionDefinition,
  type HelloMessage,
  type PhaseMessage,
} from "@samovar/protocol";
import { callable, hook, hooks, moduleOf } from "./testing/definitions.fixture.ts";
import { readyWorker, startWorker } from "./testing/in-memory.fixture.ts";
import { loadMessage } from "./testing/test-peer.fixture.ts";

const echo = callable((input: unknown) => input);

test("start hooks run one after another, in order, and are awaited", async () => {
  const events: string[] = [];
  const slow = hook("slow", async () => {
    events.push("slow begins");
    await new Promise(setImmediate);
    events.push("slow ends");
  });
  const { peer } = await readyWorker(moduleOf(echo, { onStart: [slow, hook("fast", () => void events.push("fast"))] }));
  expect(events).toEqual(["slow begins", "slow ends", "fast"]);
  expect(peer.phases).toEqual(["load ok", "start slow ok", "start fast ok"]);
});

test("what onStart returned is onStartValue, for a list a tuple, in handlers and stop hooks", async () => {
  const seen: unknown[] = [];
  const onStart = [hook("a", () => 1), hook("b", async () => "two")];
  const handler = callable((_: unknown, ctx: { onStartValue: unknown }) => ctx.onStartValue);
  const stop = hook("bye", (ctx: { onStartValue: unknown; reason: string }) => void seen.push(ctx.onStartValue, ctx.reason));
  const { peer, worker } = await readyWorker(moduleOf(handler, { onStart, onStop: [stop], onStartIsList: true }));
  expect((await peer.call(null)).body.toString()).toBe('[1,"two"]');
  peer.say(FRAME.stop, { reason: "idle", graceMs: 1_000 });
  expect(await worker.ended).toBe(0);
  expect(seen).toEqual([[1, "two"], "idle"]);
});

test("hooks of each phase know what their table says", async () => {
  const keys: Record<string, string[]> = {};
  const note = (name: string) => hook(name, (ctx: object) => void (keys[name] = Object.keys(ctx)));
  const module = moduleOf(echo, { onBuild: [note("build")], onDeploy: [note("deploy")], onStart: [note("start")], onStop: [note("stop")] });
  for (const mode of ["build", "deploy"] as const) {
    const { peer, worker } = await startWorker(module);
    peer.say(FRAME.load, loadMessage("/b", { mode }));
    await peer.take(FRAME.done);
    expect(await worker.ended).toBe(0);
  }
  const { peer, worker } = await readyWorker(module);
  peer.say(FRAME.stop, { reason: "stop", graceMs: 1_000 });
  await worker.ended;
  expect(keys.build).toEqual(["env", "log", "signal"]);
  expect(keys.deploy).toEqual([...keys.build!, "deployment", "version"]);
  expect(keys.start).toEqual([...keys.deploy!, "containerId", "workerIndex", "functionId", "functionKind", "runtimeVersion", "onDeployValue"]);
  expect(keys.stop).toEqual([...keys.start!, "onStartValue", "reason"]);
});

test("a failing start hook skips the rest, is told by name, and no stop hook runs", async () => {
  const ran: string[] = [];
  const onStart = [
    hook("good", () => void ran.push("good")),
    hook("bad", () => Promise.reject(new RangeError("no weights"))),
    hook("late", () => void ran.push("late")),
  ];
  const { peer, worker } = await startWorker(moduleOf(echo, { onStart, onStop: [hook("bye", () => void ran.push("bye"))] }));
  peer.say(FRAME.load, loadMessage("/b"));
  const failed = await peer.message<FailedMessage>(FRAME.failed);
  expect(failed).toMatchObject({ phase: "start", hook: "bad", error: { name: "RangeError", message: "no weights" } });
  expect(await worker.ended).toBe(1);
  expect(peer.phases).toEqual(["load ok", "start good ok", "start bad failed", "start late skipped"]);
  expect(ran).toEqual(["good"]);
});

test("a module that throws, and an export that is missing, fail the load phase", async () => {
  const throws = await startWorker(() => Promise.reject(new SyntaxError("unexpected")));
  throws.peer.say(FRAME.load, loadMessage("/b"));
  expect(await throws.peer.message(FRAME.failed)).toMatchObject({ phase: "load", hook: null, error: { name: "SyntaxError" } });
  expect(await throws.worker.ended).toBe(1);

  const lacks = await startWorker({ other: 1 });
  lacks.peer.say(FRAME.load, loadMessage("/b"));
  expect(await lacks.peer.message(FRAME.failed)).toMatchObject({ error: { code: "load_failed", message: "The module has no export f. It exports other" } });
});

test("a failing stop hook is recorded and the others still run", async () => {
  const ran: string[] = [];
  const onStop = [hook("bad", () => Promise.reject(new Error("stuck"))), hook("good", () => void ran.push("good"))];
  const { peer, worker } = await readyWorker(moduleOf(echo, { onStop }));
  peer.say(FRAME.stop, { reason: "stop", graceMs: 1_000 });
  expect(await worker.ended).toBe(0);
  expect(ran).toEqual(["good"]);
  expect(peer.phases.slice(-2)).toEqual(["stop bad failed", "stop good ok"]);
});

test("a stop hook that overruns is given up when the grace for all is over, and the rest are skipped", async () => {
  const { peer, worker, clock } = await readyWorker(moduleOf(echo, { onStop: [hook("hangs", () => new Promise(() => {})), hook("after", () => {})] }));
  peer.say(FRAME.stop, { reason: "stop", graceMs: 5_000 });
  while (worker.state !== "stopping") await new Promise(setImmediate);
  await new Promise(setImmediate);
  clock.advance(4_999);
  expect(worker.state).toBe("stopping");
  clock.advance(1);
  expect(await worker.ended).toBe(0);
  expect(peer.phases.slice(-2)).toEqual(["stop hangs failed", "stop after skipped"]);
});

test("a stop during the start phase aborts the hook's signal, skips the rest and runs no stop hook", async () => {
  const ran: string[] = [];
  const entered = Promise.withResolvers<void>();
  const onStart = [
    hook("waits", (ctx: { signal: AbortSignal }) => {
      entered.resolve();
      return new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
    }),
    hook("late", () => void ran.push("late")),
  ];
  const { peer, worker } = await startWorker(moduleOf(echo, { onStart, onStop: [hook("bye", () => void ran.push("bye"))] }));
  peer.say(FRAME.load, loadMessage("/b"));
  await entered.promise;
  peer.say(FRAME.stop, { reason: "stop", graceMs: 1_000 });
  expect(await worker.ended).toBe(0);
  expect(ran).toEqual([]);
  expect(peer.phases).toEqual(["load ok", "start waits ok", "start late skipped"]);
  expect(peer.frames.some((frame) => frame.type === FRAME.failed)).toBe(false);
});

test("onDeploy's value is JSON, for a list an array; what JSON would change fails the hook by name", async () => {
  const one = await startWorker(moduleOf(echo, { onDeploy: [hook("a", () => ({ rows: 3, none: undefined }))] }));
  one.peer.say(FRAME.load, loadMessage("/b", { mode: "deploy" }));
  expect((await one.peer.message<DoneMessage>(FRAME.done)).value).toEqual({ rows: 3 });

  const list = await startWorker(moduleOf(echo, { onDeploy: [hook("a", () => 1), hook("b", () => undefined)], onDeployIsList: true }));
  list.peer.say(FRAME.load, loadMessage("/b", { mode: "deploy" }));
  expect((await list.peer.message<DoneMessage>(FRAME.done)).value).toEqual([1, null]);

  const bad = await startWorker(moduleOf(echo, { onDeploy: [hook("a", () => ({ at: new Date() }))] }));
  bad.peer.say(FRAME.load, loadMessage("/b", { mode: "deploy" }));
  expect(await bad.peer.message(FRAME.failed)).toMatchObject({ phase: "deploy", hook: "a", error: { code: "unserializable_result" } });
  expect(await bad.worker.ended).toBe(1);
});

test("a class is made with its parameters; hooks and methods run on the instance, onDeploy without one", async () => {
  class Model {
    loaded = false;
    readonly size: string;
    constructor(size: string) {
      this.size = size;
    }
  }
  const seen: unknown[] = [];
  const definition: FunctionDefinition = {
    kind: "cls",
    name: "model",
    handler: null,
    hooks: hooks({
      onDeploy: [hook("prepare", () => void seen.push("prepared"))],
      onStart: [
        {
          name: "load",
          run: function () {
            (this as Model).loaded = true;
          },
        },
      ],
    }),
    cls: {
      create: (parameters) => (seen.push("created"), new Model(parameters[0] as string)),
      methods: new Map([
        [
          "info",
          callable(function (this: Model) {
            return { loaded: this.loaded, size: this.size };
          } as never),
        ],
      ]),
    },
  };
  const module = { f: { [DEFINITION]: definition } };
  const deploy = await startWorker(module);
  deploy.peer.say(FRAME.load, loadMessage("/b", { mode: "deploy" }));
  await deploy.peer.take(FRAME.done);
  expect(seen).toEqual(["prepared"]);
  const { peer } = await readyWorker(module, { parameters: ["large"] });
  expect((await peer.call(null, { method: "info" })).body.toString()).toBe('{"loaded":true,"size":"large"}');
  await expect(peer.call(null, { method: "nope" })).rejects.toMatchObject({ error: { code: "not_found" }, retryable: false });
});

test("a signal tells the server, lets what is held finish, then runs stop hooks", async () => {
  const order: string[] = [];
  const gate = Promise.withResolvers<string>();
  const { peer, worker } = await readyWorker(
    moduleOf(
      callable(() => gate.promise.finally(() => order.push("input"))),
      { onStop: [hook("bye", () => void order.push("bye"))] },
    ),
  );
  const stream = peer.open(null);
  peer.send(FRAME.ping, 0);
  await peer.take(FRAME.pong);
  worker.requestStop("stop");
  expect(await peer.message(FRAME.drain)).toEqual({ reason: "stop" });
  // One that crossed the drain on its way is handed back.
  expect(await peer.error(peer.open(null))).toMatchObject({ error: { code: "drained" }, retryable: true });
  gate.resolve("done");
  expect((await peer.answer(stream)).body.toString()).toBe("done");
  await peer.take(FRAME.stopped);
  expect(await worker.ended).toBe(0);
  expect(order).toEqual(["input", "bye"]);
});

test("a drain is bounded: what is still held after 300 s is aborted and handed back", async () => {
  const handler = callable(
    (_: unknown, ctx: { signal: AbortSignal }) => new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason as Error))),
  );
  const { peer, worker, clock } = await readyWorker(moduleOf(handler));
  const stream = peer.open(null);
  peer.send(FRAME.ping, 0);
  await peer.take(FRAME.pong);
  worker.requestStop("stop");
  await peer.take(FRAME.drain);
  clock.advance(300_000);
  expect(await peer.error(stream)).toMatchObject({ error: { code: "drained" }, retryable: true });
  expect(await worker.ended).toBe(0);
});

test("stop hooks do not wait for ever for an input that ignores its signal", async () => {
  const { peer, worker, clock } = await readyWorker(
    moduleOf(
      callable(() => new Promise(() => {})),
      { onStop: [hook("bye", () => {})] },
    ),
  );
  peer.open(null);
  peer.say(FRAME.stop, { reason: "stop", graceMs: 1_000 });
  while (worker.state !== "stopping") await new Promise(setImmediate);
  clock.advance(2_000);
  expect(await worker.ended).toBe(0);
  expect(peer.phases.at(-1)).toBe("stop bye ok");
});

test("a worker whose connection breaks comes back with what it holds, and says it is ready", async () => {
  const gate = Promise.withResolvers<string>();
  const bench = await readyWorker(moduleOf(callable((input: string) => (input === "slow" ? gate.promise : input))));
  bench.peer.open("slow");
  bench.peer.send(FRAME.ping, 0);
  await bench.peer.take(FRAME.pong);
  bench.away = true;
  bench.peer.socket.destroy();
  await bench.peer.closed;
  while (bench.clock.pending < 2) await new Promise(setImmediate);
  bench.clock.advance(200);
  bench.away = false;
  while (bench.dials < 3) {
    await new Promise(setImmediate);
    bench.clock.advance(100);
  }
  const again = await bench.connection();
  expect(await again.message<HelloMessage>(FRAME.hello)).toMatchObject({ resumed: true, held: [{ taskId: "tk_1", attempt: 1, resumable: false }] });
  again.say(FRAME.welcome, { protocol: 1 });
  await again.take(FRAME.ready);
  gate.resolve("late");
  expect((await again.call("hi")).body.toString()).toBe("hi");
  // The old stream's answer went nowhere: its number may mean another input by now.
  expect(again.frames.filter((frame) => frame.type === FRAME.result)).toHaveLength(1);
});

test("a server that listens and takes its time to restore what it has is not away", async () => {
  const bench = await readyWorker(moduleOf(echo));
  bench.away = true;
  await bench.lose();
  for (let passedMs = 0; passedMs < 9_000; passedMs += 20) {
    bench.clock.advance(20);
    await new Promise(setImmediate);
  }
  bench.away = false;
  bench.mayBeThere!();
  const peer = await bench.connection();
  bench.clock.advance(9_999);
  await new Promise(setImmediate);
  await peer.welcome();
  await peer.take(FRAME.ready);
  expect(bench.worker.state).toBe("ready");
});

test("a worker that looks for its server dials as soon as one may be there, however long the pauses are by then", async () => {
  const bench = await readyWorker(moduleOf(echo));
  expect(bench.mayBeThere).toBeNull();
  bench.away = true;
  await bench.lose();
  for (let passedMs = 0; passedMs < 5_000; passedMs += 20) {
    bench.clock.advance(20);
    await new Promise(setImmediate);
  }
  const { dials } = bench;
  // Its socket is made, and it does not listen yet: then the pauses are short again.
  bench.mayBeThere!();
  await new Promise(setImmediate);
  bench.away = false;
  bench.clock.advance(20);
  const peer = await bench.connection();
  expect(bench.dials).toBe(dials + 2);
  await peer.welcome();
  await peer.take(FRAME.ready);
  expect(bench.mayBeThere).toBeNull();
});

test("a server that stays away for 10 s is lost: stop hooks run and the worker ends", async () => {
  const seen: string[] = [];
  const bench = await readyWorker(moduleOf(echo, { onStop: [hook("bye", (ctx: { reason: string }) => void seen.push(ctx.reason))] }));
  bench.away = true;
  bench.peer.socket.destroy();
  await bench.peer.closed;
  while (bench.clock.pending === 0) await new Promise(setImmediate);
  bench.clock.advance(9_999);
  await new Promise(setImmediate);
  expect(bench.worker.state).toBe("ready");
  bench.clock.advance(1);
  expect(await bench.worker.ended).toBe(0);
  expect(seen).toEqual(["server-lost"]);
});

test("a worker that is refused ends with 1; one that served drains and stops", async () => {
  const bench = await startWorker(moduleOf(echo));
  bench.peer.socket.destroy();
  await bench.peer.closed;
  while (bench.clock.pending < 2) await new Promise(setImmediate);
  bench.clock.advance(20);
  const again = await bench.connection();
  again.say(FRAME.reject, { reason: "revoked" });
  expect(await bench.worker.ended).toBe(1);
});

test("garbage ends the connection and nothing else", async () => {
  const bench = await readyWorker(moduleOf(echo));
  bench.peer.socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
  await bench.peer.closed;
  while (bench.clock.pending < 2) await new Promise(setImmediate);
  bench.clock.advance(20);
  const again = await bench.connection();
  expect((await again.welcome()).resumed).toBe(true);
  await again.take(FRAME.ready);
  expect((await again.call(7)).body.toString()).toBe("7");
});

test("a ping is answered at once, at every phase", async () => {
  const { peer } = await startWorker(moduleOf(echo));
  peer.send(FRAME.ping, 0);
  expect((await peer.take(FRAME.pong)).stream).toBe(0);
});

test("a crash outside of any catch is told with its hook, and ends the worker with 1", async () => {
  const entered = Promise.withResolvers<void>();
  const { peer, worker } = await startWorker(moduleOf(echo, { onStart: [hook("loads", () => (entered.resolve(), new Promise(() => {})))] }));
  peer.say(FRAME.load, loadMessage("/b"));
  await entered.promise;
  await worker.crash(new Error("boom"));
  expect(await worker.ended).toBe(1);
  expect(await peer.message(FRAME.failed)).toMatchObject({ phase: "start", hook: "loads", error: { message: "boom" } });
});

test("a stray error of one stop hook does not keep the others from running", async () => {
  const ran: string[] = [];
  const entered = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const { peer, worker } = await readyWorker(
    moduleOf(echo, { onStop: [hook("strays", () => (entered.resolve(), gate.promise)), hook("bye", () => void ran.push("bye"))] }),
  );
  peer.say(FRAME.stop, { reason: "stop", graceMs: 1_000 });
  await entered.promise;
  await worker.crash(new Error("stray"));
  gate.resolve();
  expect(await worker.ended).toBe(0);
  expect(ran).toEqual(["bye"]);
});

test("phases carry when they began and how long they took", async () => {
  const gate = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const slow = await startWorker(moduleOf(echo, { onStart: [hook("slow", () => (entered.resolve(), gate.promise))] }));
  slow.peer.say(FRAME.load, loadMessage("/b"));
  await entered.promise;
  slow.clock.advance(1_500);
  gate.resolve();
  await slow.peer.take(FRAME.ready);
  const phases = slow.peer.frames.filter((frame) => frame.type === FRAME.phase).map((frame) => decodeValue(frame.payload) as PhaseMessage);
  expect(phases.map(({ startedAtMs, durationMs }) => [startedAtMs, durationMs])).toEqual([
    [1_000_000, 0],
    [1_000_000, 1_500],
  ]);
});
