import type { Duplex } from "node:stream";
import { once } from "node:events";
import { FakeClock } from "@samovar/kit";
import { SamovarError, type ExitStatus } from "@samovar/protocol";
import { expect, test } from "vitest";
import type { ContainerSpec } from "./driver.ts";
import { createFakeDriver, type FakeDriver } from "./fake-driver.ts";
import type { FakeWorkerControl, RunWorker } from "./fake-container.ts";

const spec = (containerId = "ct_1"): ContainerSpec => ({
  containerId,
  functionName: "f",
  serverAddress: "/none",
  token: "t",
  code: { codeId: "c", sourceDir: "/code", entry: "a.mjs", nodeModules: [] },
  env: {},
  serverUrl: "http://127.0.0.1:8700",
  network: { mode: "host", allow: [] },
  gpus: [],
  limits: { cpuMillis: 1_000, memoryMib: 512, maxProcesses: 64, diskMib: 1_024, workers: 1 },
});

interface Bench {
  readonly clock: FakeClock;
  readonly driver: FakeDriver;
  /** The server's ends, as they arrive. */
  readonly accepted: Duplex[];
  readonly controls: FakeWorkerControl[];
  readonly exits: ExitStatus[];
  readonly events: { output(): void; mainExited(exit: ExitStatus): void };
}

/** Workers that say their pid and echo what they are sent. */
function setUp(runWorker?: RunWorker): Bench {
  const clock = new FakeClock();
  const accepted: Duplex[] = [];
  const controls: FakeWorkerControl[] = [];
  const exits: ExitStatus[] = [];
  const echo: RunWorker = (_spec, connection, control) => {
    controls.push(control);
    connection.on("data", (chunk: Buffer) => connection.write(chunk));
  };
  const driver = createFakeDriver({ clock, accept: (connection) => void accepted.push(connection), runWorker: runWorker ?? echo });
  return { clock, driver, accepted, controls, exits, events: { output() {}, mainExited: (exit) => void exits.push(exit) } };
}

test("a slow start takes its time on the clock, the next one none", async () => {
  const { driver, clock, events } = setUp();
  driver.next({ startDelayMs: 5_000 });
  let started = false;
  const slow = driver.start(spec(), events).then(() => (started = true));
  await driver.start(spec("ct_2"), events);
  clock.advance(4_999);
  await turn();
  expect(started).toBe(false);
  clock.advance(1);
  await slow;
});

test("a start may be rejected, and nothing is there", async () => {
  const { driver, events } = setUp();
  driver.next({ failWith: new SamovarError("start_failed", "No room") });
  await expect(driver.start(spec(), events)).rejects.toMatchObject({ code: "start_failed" });
  expect(driver.containers).toEqual([]);
});

test("a process may exist for a while, or for ever, before it connects", async () => {
  const { driver, clock, accepted, events } = setUp();
  driver.next({ bootDelayMs: 100 });
  driver.next({ bootDelayMs: Infinity });
  await driver.start(spec(), events);
  await driver.start(spec("ct_2"), events);
  await turn();
  expect(accepted).toHaveLength(0);
  clock.advance(1e9);
  await turn();
  expect(accepted).toHaveLength(1);
});

test.for([
  [{ code: 3 }, { kind: "exit", code: 3, signal: null }],
  [{ signal: "SIGSEGV" }, { kind: "signal", code: null, signal: "SIGSEGV" }],
] as const)("a crash closes the connection and is told: %o", async ([how, expected]) => {
  const { driver, accepted, controls, exits, events } = setUp();
  await driver.start(spec(), events);
  await turn();
  const closed = once(accepted[0]!.resume(), "close");
  driver.control("ct_1").crash(how);
  await closed;
  expect(exits).toEqual([expected]);
  expect(controls[0]!.ended.aborted).toBe(true);
});

test("out of memory is told for the main process, and by tookOom for others", async () => {
  const { driver, controls, exits, events } = setUp();
  const container = await driver.start(spec(), events);
  await turn();
  const forked = controls[0]!.fork();
  driver.control("ct_1").outOfMemory(forked.pid);
  expect(forked.ended.aborted).toBe(true);
  expect(exits).toEqual([]);
  expect([await container.tookOom(), await container.tookOom()]).toEqual([true, false]);
  driver.control("ct_1").outOfMemory();
  expect(exits).toMatchObject([{ kind: "oom" }]);
});

test("a lost container is told as lost", async () => {
  const { driver, exits, events } = setUp();
  await driver.start(spec(), events);
  driver.control("ct_1").lose();
  expect(exits).toEqual([{ kind: "lost", code: null, signal: null }]);
});

test("a frozen container answers nothing, not even SIGTERM, until it thaws", async () => {
  const { driver, accepted, exits, events } = setUp();
  const container = await driver.start(spec(), events);
  await turn();
  let answer = "";
  accepted[0]!.on("data", (chunk) => (answer += chunk));
  driver.control("ct_1").freeze();
  accepted[0]!.write("ping");
  await container.terminate();
  await turn();
  expect([answer, exits.length]).toEqual(["", 0]);
  driver.control("ct_1").thaw();
  expect(exits).toEqual([{ kind: "signal", code: null, signal: "SIGTERM" }]);
});

test("a frozen container can be killed", async () => {
  const { driver, accepted, exits, events } = setUp();
  const container = await driver.start(spec(), events);
  await turn();
  const closed = once(accepted[0]!.resume(), "close");
  driver.control("ct_1").freeze();
  await container.kill();
  await closed;
  expect(exits).toEqual([{ kind: "signal", code: null, signal: "SIGKILL" }]);
});

test("garbage reaches the server", async () => {
  const { driver, accepted, events } = setUp();
  await driver.start(spec(), events);
  await turn();
  const arrived = once(accepted[0]!, "data");
  driver.control("ct_1").sendGarbage(Buffer.from([0xff, 0xff]));
  expect(await arrived).toEqual([Buffer.from([0xff, 0xff])]);
});

test("killProcess ends a forked worker alone", async () => {
  const { driver, accepted, controls, exits, events } = setUp();
  const container = await driver.start(spec(), events);
  await turn();
  const forked = controls[0]!.fork();
  expect(accepted).toHaveLength(2);
  const closed = once(accepted[1]!.resume(), "close");
  await container.killProcess(forked.pid);
  await closed;
  expect(exits).toEqual([]);
  expect((await container.stats()).processes).toBe(1);
});

test("a worker that throws ends with code 1", async () => {
  const { driver, exits, events } = setUp(() => Promise.reject(new Error("no luck")));
  await driver.start(spec(), events);
  await turn();
  expect(exits).toEqual([{ kind: "exit", code: 1, signal: null }]);
});

test("calls are recorded, and dispose ends starts that wait", async () => {
  const { driver, clock, events } = setUp();
  const container = await driver.start(spec(), events);
  await container.terminate();
  driver.next({ startDelayMs: 1_000 });
  const waiting = driver.start(spec("ct_2"), events);
  await driver.dispose();
  await expect(waiting).rejects.toMatchObject({ code: "shutting_down" });
  expect(driver.calls.map(({ method, containerId }) => [method, containerId])).toEqual([
    ["start", "ct_1"],
    ["terminate", "ct_1"],
    ["start", "ct_2"],
    ["dispose", null],
  ]);
  expect(clock.pending).toBe(0);
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
