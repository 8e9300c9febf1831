import { readdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build } from "esbuild";
import { FRAME, decodeValue, type ErrorMessage, type FailedMessage, type HelloMessage, type LogMessage, type WorkerExitMessage } from "@samovar/protocol";
import { RunnerBench } from "./testing/process.fixture.ts";
import { loadMessage } from "./testing/test-peer.fixture.ts";

let bench: RunnerBench;
beforeAll(async () => {
  bench = await RunnerBench.create();
});
afterAll(() => bench.dispose());

const STOP = { reason: "stop", graceMs: 5_000 };

test("a runner says who it is, and user code sees of it what its clients need", async () => {
  const { peer, exited } = await bench.ready("env.mjs", `export const f = fn(() => Object.keys(process.env).filter((name) => name.startsWith("SAMOVAR")));`);
  expect((await peer.call(null)).body.toString()).toBe('["SAMOVAR_TOKEN"]');
  peer.say(FRAME.stop, STOP);
  expect(await exited).toEqual({ code: 0, signal: null });
});

test("output goes to the hook or input that made it, in every way there is to write", async () => {
  const { peer, exited, output } = await bench.ready(
    "logs.mjs",
    `console.log("loading");
     export const f = fn(async (n) => {
       console.log("got", { n });
       await new Promise((done) => setTimeout(done, 5));
       console.warn("careful %d", n);
       process.stdout.write("half ");
       process.stdout.write("line");
       process.stderr.write(new TextEncoder().encode("raw\\n"));
     }, { onStart: [hook("warm", () => console.debug("warming"))], onStop: [hook("bye", () => console.error("bye"))] });`,
    { concurrencyMax: 2 },
  );
  await Promise.all([peer.call(1), peer.call(2)]);
  peer.say(FRAME.stop, STOP);
  await exited;
  const lines = peer.logLines.map(
    ({ source, stream, level, text }) =>
      `${source.kind === "input" ? source.taskId : source.kind === "hook" ? source.hook : source.kind} ${stream} ${level} ${text}`,
  );
  expect(lines.filter((line) => !line.startsWith("tk_"))).toEqual(["worker stdout info loading", "warm stdout debug warming", "bye stderr error bye"]);
  for (const [task, n] of [
    ["tk_1", 1],
    ["tk_3", 2],
  ] as const) {
    expect(lines.filter((line) => line.startsWith(task)).toSorted()).toEqual([
      `${task} stderr error raw`,
      `${task} stderr warn careful ${n}`,
      `${task} stdout info got { n: ${n} }`,
      `${task} stdout info half line`,
    ]);
  }
  expect(output()).toBe("");
});

test("a gigabyte of logs neither blocks the worker nor fills its memory, and what was dropped is counted", async () => {
  const { peer, child, exited } = await bench.ready(
    "flood.mjs",
    `const line = "x".repeat(1023);
     export const f = fn(() => {
       for (let i = 0; i < 1_000_000; i++) console.log(line);
       return process.memoryUsage.rss();
     });`,
  );
  const rssBytes = Number((await peer.call(null)).body.toString());
  expect(rssBytes).toBeLessThan(400 * 1024 * 1024);
  const messages = peer.frames.filter((frame) => frame.type === FRAME.log).map((frame) => decodeValue(frame.payload) as LogMessage);
  const kept = messages.reduce((sum, message) => sum + message.lines.length, 0);
  const dropped = messages.reduce((sum, message) => sum + message.dropped, 0);
  expect(dropped).toBeGreaterThan(0);
  expect(kept + dropped).toBe(1_000_000);
  child.kill("SIGTERM");
  await exited;
});

test("a line over the limit is cut", async () => {
  const { peer, child, exited } = await bench.ready("long.mjs", `export const f = fn(() => console.log("y".repeat(100_000)));`);
  await peer.call(null);
  expect(peer.logLines[0]!.text).toHaveLength(16 * 1024 + "… (cut)".length);
  child.kill("SIGTERM");
  await exited;
});

test.each([
  ["SIGTERM", "stop"],
  ["SIGINT", "interrupt"],
] as const)("%s is a graceful stop: told to the server, held inputs finish, stop hooks run, exit 0", async (signal, reason) => {
  const { peer, child, exited } = await bench.ready(
    "signal.mjs",
    `let finish; const gate = new Promise((done) => { finish = done; });
     export const f = fn((x) => x === "go" ? void finish() : gate.then(() => "finished"), { onStop: [hook("bye", (ctx) => console.log("bye " + ctx.reason))] });`,
    { concurrencyMax: 2 },
  );
  const held = peer.open("wait");
  // Held before the signal, on the same connection, so that the worker has it when the signal comes.
  peer.send(FRAME.ping, 0);
  await peer.take(FRAME.pong);
  const go = peer.open("go");
  child.kill(signal);
  await peer.answer(go);
  expect((await peer.answer(held)).body.toString()).toBe("finished");
  await peer.take(FRAME.stopped);
  expect(await exited).toEqual({ code: 0, signal: null });
  expect(await peer.message(FRAME.drain)).toEqual({ reason });
  expect(peer.logLines.map((line) => line.text)).toEqual([`bye ${reason}`]);
});

test("a second signal ends it at once", async () => {
  const { peer, child, exited } = await bench.ready("twice.mjs", `export const f = fn(() => new Promise(() => {}));`);
  peer.open(null);
  peer.send(FRAME.ping, 0);
  await peer.take(FRAME.pong);
  child.kill("SIGTERM");
  await peer.take(FRAME.drain);
  child.kill("SIGTERM");
  expect(await exited).toEqual({ code: 143, signal: null });
});

test.each([
  ["throws", `throw new TypeError("no model");`, { name: "TypeError", message: "no model" }],
  ["rejects where nobody listens", `Promise.reject(new RangeError("stray")); await new Promise(() => {});`, { name: "RangeError", message: "stray" }],
])("a start hook that %s fails the worker by name, with exit code 1", async (_, body, error) => {
  const { exited } = bench.spawn();
  const peer = await bench.server.connection();
  await peer.welcome();
  peer.say(
    FRAME.load,
    loadMessage(
      bench.write(
        "bad.mjs",
        `export const f = fn(() => 1, { onStart: [hook("loadModel", async () => { ${body} })], onStop: [hook("bye", () => console.log("never"))] });`,
      ),
    ),
  );
  expect(await peer.message<FailedMessage>(FRAME.failed)).toMatchObject({ phase: "start", hook: "loadModel", error });
  expect(await exited).toEqual({ code: 1, signal: null });
  expect(peer.logLines.map((line) => line.source)).toEqual([{ kind: "hook", hook: "loadModel", phase: "start" }]);
});

test("a hook that exits the process takes its last words along", async () => {
  const { exited } = bench.spawn();
  const peer = await bench.server.connection();
  await peer.welcome();
  peer.say(
    FRAME.load,
    loadMessage(bench.write("exit.mjs", `export const f = fn(() => 1, { onStart: [hook("quits", () => { console.log("bye"); process.exit(3); })] });`)),
  );
  expect(await exited).toEqual({ code: 3, signal: null });
  await peer.closed;
  expect(peer.logLines.map((line) => [line.text, line.source.kind])).toEqual([["bye", "hook"]]);
});

test("an input that throws outside of any catch ends the worker with 1 and says why, under its name", async () => {
  const { peer, exited } = await bench.ready(
    "crash.mjs",
    `export const f = fn(() => { setTimeout(() => { throw new Error("in a timer"); }); return new Promise(() => {}); });`,
  );
  peer.open(null);
  expect(await exited).toEqual({ code: 1, signal: null });
  await peer.closed;
  expect(peer.logLines).toMatchObject([
    { level: "error", source: { kind: "input", taskId: "tk_1" }, text: expect.stringContaining("Uncaught Error: in a timer") },
  ]);
});

test("stacks name the sources, not the bundle, and nothing of the runner", async () => {
  const source = `${bench.dir}/deep.ts`;
  writeFileSync(
    source,
    `type N = number;

function inner(n: N): never {
  throw new Error("deep " + n);
}
const callable = { run: (n: N) => inner(n), streaming: false, batch: null, validateInput: null, validateOutput: null, retryOn: null };
const hooks = { onBuild: [], onDeploy: [], onStart: [], onStop: [], onStartIsList: false, onDeployIsList: false };
export const f = { [Symbol.for("samovar.definition")]: { kind: "function", name: "f", cls: null, handler: callable, hooks } };
`,
  );
  const outfile = `${bench.dir}/deep.bundle.mjs`;
  await build({ entryPoints: [source], outfile, bundle: true, platform: "node", format: "esm", sourcemap: "linked", minify: true });
  const { exited, child } = bench.spawn();
  const peer = await bench.server.connection();
  await peer.welcome();
  peer.say(FRAME.load, loadMessage(outfile));
  await peer.take(FRAME.ready);
  const { error } = (await peer.call(1).catch((e: unknown) => e)) as ErrorMessage;
  expect(error.stack).toMatch(/^Error: deep 1\n    at .*deep\.ts:4:9\)?\n    at .*deep\.ts:6:/);
  expect(error.stack).not.toContain("runner.mjs");
  child.kill("SIGTERM");
  await exited;
});

test("workers: 3 are three processes with their own hooks; one that dies is told and can be had again", async () => {
  const source = `export const f = fn((x) => x === "die" ? process.kill(process.pid, "SIGKILL") : process.pid, { onStart: [hook("start", (ctx) => console.log("start " + ctx.workerIndex))], onStop: [hook("bye", (ctx) => console.log("bye " + ctx.workerIndex))] });`;
  const load = loadMessage(bench.write("three.mjs", source), { workers: 3 });
  const { child, exited } = bench.spawn();
  const zero = await bench.server.connection();
  expect(await zero.welcome()).toMatchObject({ workerIndex: 0, pid: child.pid });
  zero.say(FRAME.load, load);
  const siblings = await Promise.all([bench.server.connection(), bench.server.connection()]);
  const hellos: HelloMessage[] = [];
  for (const peer of siblings) {
    hellos.push(await peer.welcome());
    peer.say(FRAME.load, load);
  }
  expect(hellos.map((hello) => hello.workerIndex).toSorted()).toEqual([1, 2]);
  expect(hellos.every((hello) => hello.token === "secret" && hello.containerId === "ct_1")).toBe(true);
  await Promise.all([zero, ...siblings].map((peer) => peer.take(FRAME.ready)));

  const [first, second] = siblings;
  first.open("die");
  const exit = await zero.message<WorkerExitMessage>(FRAME.workerExit);
  expect(exit).toEqual({ workerIndex: hellos[0]!.workerIndex, pid: hellos[0]!.pid, code: null, signal: "SIGKILL" });
  zero.say(FRAME.spawn, { workerIndex: exit.workerIndex });
  const again = await bench.server.connection();
  expect((await again.welcome()).workerIndex).toBe(exit.workerIndex);
  again.say(FRAME.load, load);
  await again.take(FRAME.ready);

  // The signal goes to worker 0 alone, as a driver sends it, and reaches all.
  child.kill("SIGTERM");
  await Promise.all([zero, second, again].map((peer) => peer.take(FRAME.stopped)));
  expect(await exited).toEqual({ code: 0, signal: null });
  for (const peer of [zero, second, again]) expect(peer.logLines.at(-1)!.text).toMatch(/^bye \d$/);
});

test("when worker 0 is killed its siblings go on while they have a server, and end by themselves when it is gone", async () => {
  const load = loadMessage(bench.write("orphan.mjs", `export const f = fn((x) => x);`), { workers: 2 });
  const { child, exited } = bench.spawn();
  const zero = await bench.server.connection();
  await zero.welcome();
  zero.say(FRAME.load, load);
  const sibling = await bench.server.connection();
  await sibling.welcome();
  sibling.say(FRAME.load, load);
  await sibling.take(FRAME.ready);
  // The sibling holds the same output pipes: they close when it, too, has ended.
  const allEnded = new Promise((resolve) => child.on("close", resolve));
  child.kill("SIGKILL");
  await exited;
  expect((await sibling.call("still here")).body.toString()).toBe("still here");
  sibling.socket.destroy();
  const again = await bench.server.connection();
  again.say(FRAME.reject, { reason: "The container ended" });
  await allEnded;
});

test("what was compiled for the first input is kept where the server says", async () => {
  const compileCacheDir = `${bench.dir}/cache`;
  const { peer, exited } = await bench.ready("cached.mjs", `export const f = fn((x) => x);`, { compileCacheDir });
  await peer.call(1);
  peer.say(FRAME.stop, STOP);
  await exited;
  expect(readdirSync(compileCacheDir, { recursive: true }).length).toBeGreaterThan(1);
});

test("a server that does not read can't keep the runner from ending", async () => {
  const { peer, child, exited } = await bench.ready(
    "deaf.mjs",
    `export const f = fn(() => { for (let i = 0; i < 5_000; i++) console.log("x".repeat(1_000)); });`,
  );
  peer.socket.pause();
  peer.open(null);
  child.kill("SIGTERM");
  expect(await exited).toEqual({ code: 0, signal: null });
});

test("a runner whose server was killed and came back is taken back", async () => {
  const { peer, child, exited } = await bench.ready("back.mjs", `let n = 0; export const f = fn(() => ++n);`);
  await peer.call(null);
  await bench.server.vanish();
  await peer.closed;
  await bench.server.resume();
  const again = await bench.server.connection();
  expect(await again.welcome()).toMatchObject({ resumed: true, pid: child.pid });
  await again.take(FRAME.ready);
  expect((await again.call(null)).body.toString()).toBe("2");
  child.kill("SIGTERM");
  await exited;
});

test("a task that runs while the server is killed answers the next one, with the memory that it had", async () => {
  const source = `let n = 0; export const f = fn((ms) => new Promise((resolve) => setTimeout(() => resolve({ n: ++n, at: "é".repeat(200_000) }), ms)));`;
  const { peer, child, exited } = await bench.ready("durable.mjs", source);
  await peer.call(0);
  peer.open(50, { durable: true, taskId: "tk_kept" });
  await peer.synced();
  await bench.server.vanish();
  await bench.server.resume();
  const again = await bench.server.connection();
  expect(await again.message(FRAME.hello)).toMatchObject({ held: [{ taskId: "tk_kept", attempt: 1, resumable: true }] });
  again.takeBack([1]);
  expect(JSON.parse((await again.answer(1)).body.toString())).toEqual({ n: 2, at: "é".repeat(200_000) });
  child.kill("SIGTERM");
  await exited;
});

test("what user code left running ends with a runner that has lost its server, also while it waits for a reader of its output", async () => {
  const source = `
    import { spawn } from "node:child_process";
    const script = "head -c 500000 /dev/zero; exec sleep 600";
    export const f = fn(() => void spawn("sh", ["-c", script], { stdio: ["ignore", "inherit", "ignore"] }));`;
  const { peer, child, exited } = await bench.ready("left.mjs", source);
  child.stdout!.pause();
  await peer.call(null);
  // It holds the same pipe.
  const allEnded = new Promise((resolve) => child.on("close", resolve));
  await bench.server.vanish();
  await bench.server.resume();
  (await bench.server.connection()).say(FRAME.reject, { reason: "Nobody knows it" });
  expect(await exited).toEqual({ code: null, signal: "SIGKILL" });
  child.stdout!.resume();
  await allEnded;
});

test("garbage ends the connection; the runner comes back and serves", async () => {
  const { peer, child, exited } = await bench.ready("garbage.mjs", `export const f = fn((x) => x);`);
  peer.socket.write("GET / HTTP/1.1\r\n\r\n");
  await peer.closed;
  const again = await bench.server.connection();
  await again.welcome();
  await again.take(FRAME.ready);
  expect((await again.call("ok")).body.toString()).toBe("ok");
  child.kill("SIGTERM");
  await exited;
});

test("without a server's variables it says that it is not started by hand", async () => {
  const { exited, output } = bench.spawn({ SAMOVAR_TOKEN: "" });
  expect((await exited).code).toBe(1);
  expect(output()).toContain("SAMOVAR_TOKEN is not set");
});
