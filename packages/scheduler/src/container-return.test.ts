import { SamovarError, type HeldInput } from "@samovar/protocol";
import type { ContainerEvents, RunningContainer } from "@samovar/runtime";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Container } from "./container.ts";
import type { LeftInputs } from "./container-types.ts";
import type { InputSource } from "./input-source.ts";
import type { InputSink, InputTicket } from "./input.ts";
import { toOrphan } from "./pool-input.ts";
import type { Pool } from "./pool.ts";
import { createPools, type PoolsUnderTest } from "./testing/pools.fixture.ts";
import { TOKEN, comeBack, leftContainer } from "./testing/returning.fixture.ts";

const ID = "ct_before";
const HELD: HeldInput = { taskId: "task_1", attempt: 2, resumable: true };

let under: PoolsUnderTest;
let pool: Pool;
let kill: ReturnType<typeof vi.fn<RunningContainer["kill"]>>;
let events: ContainerEvents | null;
let takeBack: ReturnType<typeof vi.spyOn>;
/** By container: what is over for good. */
let settled: string[];
let left: Map<string, { sink: InputSink; given: (ticket: InputTicket) => void; startedAtMs: number }>;

beforeEach(() => {
  under = createPools();
  settled = [];
  left = new Map();
  kill = vi.fn<RunningContainer["kill"]>(async () => {});
  const running = { pid: 7, codePath: "/code", codeDir: "/code", kill, killProcess: async () => {}, tookOom: async () => false };
  takeBack = vi.spyOn(under.driver, "takeBack").mockImplementation(async (_spec, given) => {
    events = given;
    return running as unknown as RunningContainer;
  });
  const leftInputs: LeftInputs = {
    claim(_container, held) {
      const task = left.get(held.taskId);
      left.delete(held.taskId);
      if (!task || !held.resumable) return null;
      const { request, attempt } = toOrphan(held);
      return { input: { request, attempt, sink: task.sink, given: task.given, released() {} }, startedAtMs: task.startedAtMs };
    },
    settle: (containerId) => void settled.push(containerId),
  };
  Object.assign(under.services.host, { leftInputs });
});

afterEach(async () => {
  const disposed = under.dispose();
  // Nobody tells the exit of these, and some never came: it is waited for.
  await under.advance(2_000);
  await under.advance(10_000);
  await disposed;
});

/** A pool of before, one of whose containers may come back. */
function awaited(options: Parameters<PoolsUnderTest["pool"]>[1] = {}): Container {
  pool = under.pool("work", { maxContainers: 1, ...options }, { floor: "none" });
  pool.takeBack(leftContainer(ID, "work", under.clock.now() - 60_000));
  return [...pool.containers][0]!;
}

function aTask(options: { ranMs?: number } = {}) {
  const result = vi.fn<InputSink["result"]>();
  const error = vi.fn<InputSink["error"]>();
  const sink = { started() {}, result, head() {}, data: () => true, end() {}, error };
  let ticket: InputTicket | null = null;
  left.set(HELD.taskId, { sink, given: (given) => (ticket = given), startedAtMs: under.clock.now() - (options.ranMs ?? 0) });
  return { sink, ticket: () => ticket! };
}

const hub = (): PoolsUnderTest["services"]["host"]["hub"] => under.services.host.hub;

test("a container that comes back takes inputs at once, in the place of a new one", async () => {
  const container = awaited();
  const call = under.call(pool);
  await under.settle();
  expect([container.state, call.state, under.containers.size]).toEqual(["returning", "waiting", 0]);

  const worker = comeBack(hub(), ID);
  await under.settle();
  expect(worker.welcome).toEqual({ protocol: 1 });
  worker.ready();
  await under.settle();
  expect([container.state, call.state, call.containerId]).toEqual(["ready", "running", ID]);
  worker.answer(1);
  await under.settle();
  expect([call.state, container.inputs.done, under.containers.size]).toEqual(["done", 6, 0]);
  expect(takeBack).toHaveBeenCalledOnce();
  expect(settled).toContain(ID);
});

test("what it was before stays: when it was started and ready, its phases, its counts", async () => {
  const container = awaited();
  const startedAtMs = under.clock.now() - 60_000;
  comeBack(hub(), ID).ready();
  await under.settle();
  expect(container.info()).toMatchObject({ id: ID, startedAtMs, state: "ready", inputs: { done: 5, failed: 1 } });
  expect(container.readyAtMs).toBe(startedAtMs + 40);
  expect(container.record.phases.map(({ phase }) => phase)).toEqual(["ready"]);
});

test("a task goes on on the stream that WELCOME names, and its answer reaches whoever waits", async () => {
  const { sink } = aTask();
  const container = awaited();
  const worker = comeBack(hub(), ID, { held: [HELD] });
  await under.settle();
  expect(worker.welcome).toEqual({ protocol: 1, streams: [1] });
  worker.ready();
  await under.settle();
  expect(container.heldCount).toBe(1);
  // Its slot is taken.
  const call = under.call(pool);
  await under.settle();
  expect(call.state).toBe("waiting");
  worker.answer(1);
  await under.settle();
  expect(sink.result).toHaveBeenCalledOnce();
  expect([call.state, call.containerId]).toEqual(["running", ID]);
});

test("its timeout counts from its start, not from its return", async () => {
  const { sink } = aTask({ ranMs: 9_000 });
  awaited({ timeoutMs: 10_000 });
  const worker = comeBack(hub(), ID, { held: [HELD] });
  worker.ready();
  await under.advance(999);
  expect(sink.error).not.toHaveBeenCalled();
  await under.advance(1);
  expect(worker.heard).toEqual(["CANCEL 1 timeout"]);
  expect(sink.error.mock.calls[0]![0].error.code).toBe("timeout");
});

test("it can be cancelled after its return", async () => {
  const { ticket } = aTask();
  awaited();
  const worker = comeBack(hub(), ID, { held: [HELD] });
  await under.settle();
  ticket().cancel("cancelled");
  await under.settle();
  expect(worker.heard).toEqual(["CANCEL 1 cancelled"]);
});

test("what nobody waits for any more is cancelled, and takes up room until it has settled", async () => {
  const container = awaited();
  const worker = comeBack(hub(), ID, { held: [{ ...HELD, resumable: false }] });
  worker.ready();
  const call = under.call(pool);
  await under.settle();
  expect(worker.heard).toEqual(["CANCEL 1 disconnected"]);
  expect([container.heldCount, call.state]).toEqual([1, "waiting"]);
  worker.answer(1);
  await under.settle();
  expect([container.heldCount, call.state]).toEqual([1, "running"]);
});

test("a headless function's call goes on, though its caller went with the server", async () => {
  const container = awaited({ headless: true });
  const worker = comeBack(hub(), ID, { held: [{ ...HELD, resumable: false }] });
  worker.ready();
  await under.settle();
  expect([worker.heard, container.heldCount]).toEqual([[], 1]);
  worker.answer(1);
  await under.settle();
  expect(container.heldCount).toBe(0);
});

test("one that does not live any more is given up after ten seconds, and another is started for what waits", async () => {
  takeBack.mockRejectedValue(new SamovarError("not_found", "No process of it lives"));
  const container = awaited();
  const call = under.call(pool);
  await under.advance(9_999);
  expect([container.state, under.containers.size]).toEqual(["returning", 0]);
  await under.advance(1);
  expect([container.state, container.info().reason]).toEqual(["ended", "It did not come back within 10 s after its server was gone"]);
  expect([under.containers.size, call.state]).toEqual([1, "running"]);
  expect(settled).toContain(ID);
  const late = comeBack(hub(), ID);
  await under.settle();
  expect(late.rejected).toContain("is awaited");
});

test("one that lives and has not come within ten seconds is no capacity any more, and what it has goes on when it comes", async () => {
  const { sink } = aTask();
  const container = awaited({ memoryRequestMib: 4_000 });
  const call = under.call(pool);
  await under.advance(10_000);
  // Its room is its own until it has ended.
  expect([container.state, call.state, settled]).toEqual(["draining", "running", []]);
  const other = under.call(under.pool("other", { memoryRequestMib: 4_000 }));
  await under.settle();
  expect(other.state).toBe("waiting");
  const worker = comeBack(hub(), ID, { held: [HELD] });
  worker.ready();
  await under.settle();
  worker.answer(1);
  await under.settle();
  expect([sink.result.mock.calls.length, worker.heard]).toEqual([1, ["DRAIN 0", "STOP 0"]]);
  events!.mainExited({ kind: "exit", code: 0, signal: null });
  await under.settle();
  expect([container.state, other.state, takeBack.mock.calls.length]).toEqual(["ended", "running", 1]);
});

test("one that ends while it is overdue leaves its tasks to others then, and one that never does is killed", async () => {
  const container = awaited();
  await under.advance(10_000);
  events!.mainExited({ kind: "lost", code: null, signal: null });
  await under.settle();
  expect([container.state, settled, kill.mock.calls.length]).toEqual(["ended", expect.arrayContaining([ID]), 1]);

  pool.takeBack(leftContainer("ct_stuck", "work", 0));
  const stuck = [...pool.containers].find(({ id }) => id === "ct_stuck")!;
  await under.advance(10_000);
  await under.advance(109_999);
  expect([stuck.state, kill.mock.calls.length]).toEqual(["draining", 1]);
  await under.advance(1);
  expect([stuck.state, kill.mock.calls.length]).toEqual(["ended", 2]);
});

test("a stranger's token is refused, and the container is still awaited", async () => {
  const container = awaited();
  const stranger = comeBack(hub(), ID, { token: `${TOKEN}!` });
  await under.settle();
  expect([stranger.rejected !== null, container.state]).toEqual([true, "returning"]);
  comeBack(hub(), ID).ready();
  await under.settle();
  expect(container.state).toBe("ready");
});

test("one that the driver can't take back is told to stop, and its tasks are done elsewhere", async () => {
  takeBack.mockRejectedValue(new SamovarError("not_found", "No process of it lives"));
  const { sink } = aTask();
  const container = awaited();
  const worker = comeBack(hub(), ID, { held: [HELD] });
  await under.settle();
  expect(worker.heard).toContain("STOP 0");
  expect(sink.error.mock.calls[0]![0].error.code).toBe("drained");
  await under.advance(2_000);
  expect([container.state, container.info().reason]).toEqual(["ended", "It can't be taken back: No process of it lives"]);
});

test("its end is told by the driver, as of any other, and what it held is lost with it", async () => {
  const { sink } = aTask();
  const container = awaited();
  const worker = comeBack(hub(), ID, { held: [HELD] });
  worker.ready();
  await under.settle();
  events!.mainExited({ kind: "lost", code: null, signal: null });
  worker.hangUp();
  await under.settle();
  expect(kill).toHaveBeenCalledOnce();
  expect(container.state).toBe("ended");
  expect(sink.error.mock.calls[0]![0].error.code).toBe("container_lost");
});

test("drained while it is awaited, it finishes what it holds when it comes, and stops then", async () => {
  const { sink } = aTask();
  const container = awaited();
  const closed = pool.close("stop", null);
  await under.advance(1_000);
  expect(container.state).toBe("draining");
  const worker = comeBack(hub(), ID, { held: [HELD] });
  await under.settle();
  worker.ready();
  await under.settle();
  expect([worker.welcome, worker.heard, container.heldCount]).toEqual([{ protocol: 1, streams: [1] }, ["DRAIN 0"], 1]);
  worker.answer(1);
  await under.settle();
  expect([sink.result.mock.calls.length, worker.heard]).toEqual([1, ["DRAIN 0", "STOP 0"]]);
  events!.mainExited({ kind: "exit", code: 0, signal: null });
  await under.settle();
  await closed;
  expect([container.state, kill.mock.calls.length]).toEqual(["ended", 1]);
});

test("what was draining when its server died goes on with that, and another is started for what comes", async () => {
  const { sink } = aTask();
  pool = under.pool("work", {}, { floor: "none" });
  const left = leftContainer(ID, "work", 0);
  pool.takeBack({ ...left, info: { ...left.info, state: "draining" } });
  const call = under.call(pool);
  const worker = comeBack(hub(), ID, { held: [HELD] });
  worker.ready();
  await under.settle();
  expect([call.state, call.containerId === ID]).toEqual(["running", false]);
  worker.answer(1);
  await under.settle();
  expect([sink.result.mock.calls.length, worker.heard]).toEqual([1, ["DRAIN 0", "STOP 0"]]);
});

test("one that takes so many inputs and no more takes none after its return: how many it had is not known", async () => {
  aTask();
  pool = under.pool("work", { singleUse: true, maxContainers: 1 }, { floor: "none" });
  pool.takeBack(leftContainer(ID, "work", 0));
  const call = under.call(pool);
  const worker = comeBack(hub(), ID, { held: [HELD] });
  worker.ready();
  await under.settle();
  worker.answer(1);
  events!.mainExited({ kind: "exit", code: 0, signal: null });
  await under.settle();
  expect([call.state, call.containerId === ID]).toEqual(["running", false]);
});

test("a sibling that did not come back is started again beside those that serve, when the time is over", async () => {
  const container = awaited({ workers: 2 });
  const worker = comeBack(hub(), ID);
  worker.ready();
  await under.settle();
  expect(container.state).toBe("returning");
  await under.advance(10_000);
  expect(container.state).toBe("ready");
  await under.advance(1_000);
  expect(worker.heard).toEqual(["SPAWN 0"]);
});

test("a worker that says it holds more than it can is refused", async () => {
  awaited({ concurrencyMax: 2 });
  const liar = comeBack(hub(), ID, { held: [1, 2, 3].map((n) => ({ ...HELD, taskId: `task_${n}` })) });
  await under.settle();
  expect(liar.rejected).not.toBeNull();
});

test("a task that was cancelled while it was away is told so, also in a headless function", async () => {
  awaited({ headless: true });
  const worker = comeBack(hub(), ID, { held: [HELD] });
  await under.settle();
  expect(worker.heard).toEqual(["CANCEL 1 cancelled"]);
});

test("stopped while it is awaited, it is over when its time is, or when it is asked again", async () => {
  const container = awaited();
  container.stop("stop");
  await under.settle();
  await under.advance(9_999);
  expect(container.state).toBe("stopping");
  await under.advance(1);
  expect(container.state).toBe("ended");

  pool.takeBack(leftContainer("ct_other", "work", 0));
  const other = [...pool.containers].find(({ id }) => id === "ct_other")!;
  other.stop("stop");
  other.stop("stop");
  await under.settle();
  expect([other.state, kill.mock.calls.length]).toEqual(["ended", 2]);
  const worker = comeBack(hub(), "ct_other");
  await under.settle();
  expect(worker.rejected).not.toBeNull();
});

test("no task is given to others until all that may bring one back have come, or for two seconds", async () => {
  awaited({ maxContainers: 2 });
  pool.takeBack(leftContainer("ct_other", "work", 0));
  const source = { waiting: 1, expectsMore: false, waitsSinceMs: 0, take: vi.fn<InputSource["take"]>(() => null), startFailed() {}, detached() {}, wake() {} };
  pool.attach(source);
  pool.sourceChanged();
  comeBack(hub(), ID).ready();
  await under.settle();
  // What a caller waits for is.
  const call = under.call(pool);
  await under.settle();
  expect([source.take.mock.calls.length, call.state]).toEqual([0, "running"]);
  source.take.mockImplementation(() => {
    source.waiting = 0;
    return null;
  });
  comeBack(hub(), "ct_other").ready();
  await under.settle();
  expect(source.take).toHaveBeenCalledOnce();

  source.waiting = 1;
  pool.takeBack(leftContainer("ct_third", "work", 0));
  pool.sourceChanged();
  await under.advance(1_999);
  expect(source.take).toHaveBeenCalledOnce();
  await under.advance(1);
  expect(source.take).toHaveBeenCalledTimes(2);
});

test("it counts for the room of the host while it is awaited", async () => {
  awaited({ memoryRequestMib: 6_000 });
  const other = under.pool("other", { memoryRequestMib: 6_000 });
  const call = under.call(other);
  await under.settle();
  expect([call.state, under.containersOf("other").length]).toEqual(["waiting", 0]);
  await under.advance(10_000);
  events!.mainExited({ kind: "lost", code: null, signal: null });
  await under.settle();
  expect(call.state).toBe("running");
});
