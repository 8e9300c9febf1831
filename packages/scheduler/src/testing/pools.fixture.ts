import type { Duplex } from "node:stream";
import { FakeClock, silentLogger } from "@samovar/kit";
import {
  DEFAULT_OPTIONS,
  FRAME,
  FrameDecoder,
  PROTOCOL_VERSION,
  createCountingIds,
  decodeValue,
  encodeFrame,
  encodeValue,
  type FunctionManifest,
  type FunctionOptions,
  type LoadMessage,
  type SamovarError,
  type TaskId,
} from "@samovar/protocol";
import { createFakeDriver, type ContainerSpec, type FakeDriver, type FakeWorkerControl } from "@samovar/runtime";
import type { ContainerHost } from "../container-types.ts";
import type { HostSize } from "../decisions/room.ts";
import { HostCapacity } from "../host-capacity.ts";
import type { InputRequest, InputTicket } from "../input.ts";
import { Pool } from "../pool.ts";
import type { PoolServices, PoolSpec } from "../pool-types.ts";
import { WorkerHub } from "../worker-hub.ts";
import { encodeHeadBodyFrame } from "./head-body-frame.fixture.ts";

/** A container of a test: nothing happens in it but what the test says. */
export interface ScriptedContainer {
  readonly id: string;
  readonly spec: ContainerSpec;
  /** Inputs that it holds, oldest first, by their streams. */
  readonly held: number[];
  /** Its handlers ignore their signals, also when it is stopped: only `finish` ends one. Default false. */
  ignoresSignals: boolean;
  ready(): void;
  fail(message: string): void;
  /** Its build or deploy hooks ran. */
  done(value: unknown): void;
  /** Answers what it holds longest. */
  finish(): void;
}

export interface ScriptedCall {
  readonly ticket: InputTicket;
  state: "waiting" | "running" | "done" | "failed";
  error: SamovarError | null;
  containerId: string | null;
}

/** A call of a function, with no input. */
export function requestOf(taskId: TaskId): InputRequest {
  return {
    taskId,
    method: null,
    encoding: "none",
    reply: "value",
    stream: "values",
    request: null,
    body: null,
    bodyStream: null,
    retries: false,
    headless: false,
  };
}

/** Pools over the fake driver, with workers that only speak the protocol: for tests of when containers start and go. */
export interface PoolsUnderTest {
  readonly clock: FakeClock;
  readonly driver: FakeDriver;
  readonly services: PoolServices;
  readonly capacity: HostCapacity;
  readonly pools: ReadonlyMap<string, Pool>;
  /** Of those that live, oldest first. */
  readonly containers: Map<string, ScriptedContainer>;
  /** Whether containers become ready by themselves; default true. */
  autoReady: boolean;
  pool(name: string, options?: Partial<FunctionOptions>, spec?: Partial<PoolSpec>): Pool;
  call(pool: Pool): ScriptedCall;
  containersOf(name: string): ScriptedContainer[];
  /** Frames that were sent have arrived, and no more. */
  turn(): Promise<void>;
  /** What is under way has happened. */
  settle(): Promise<void>;
  advance(byMs: number): Promise<void>;
  dispose(): Promise<void>;
}

/** A host of four cores and 10 GiB: room for 16 containers of one core and 512 MiB. */
const HOST: HostSize = { memoryMib: 10_240, cpuMillis: 4_000, gpus: [] };

export function createPools(size: Partial<HostSize> = {}): PoolsUnderTest {
  const clock = new FakeClock();
  const hub = new WorkerHub({ clock, logger: silentLogger });
  const ids = createCountingIds();
  const pools = new Map<string, Pool>();
  const containers = new Map<string, ScriptedContainer>();
  const turns = async (count: number): Promise<void> => {
    for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const settle = (): Promise<void> => turns(12);
  const driver = createFakeDriver({
    clock,
    accept: (connection) => hub.accept(connection),
    runWorker: (spec, connection, control) => {
      const container = playWorker(spec, connection, control, () => under.autoReady);
      containers.set(spec.containerId, container);
      control.ended.addEventListener("abort", () => containers.delete(spec.containerId));
    },
  });
  const capacity = new HostCapacity({ ...HOST, ...size }, clock);
  const host: ContainerHost = {
    driver,
    hub,
    capacity,
    clock,
    logger: silentLogger,
    serverAddress: "in-memory",
    serverUrl: () => "",
    containerChanged() {},
    log() {},
    call: () => {
      throw new Error("Nothing is called from these containers");
    },
  };
  const services: PoolServices = { host, newContainerId: () => ids("container"), random: () => 0, callEnded() {} };
  const under: PoolsUnderTest = {
    clock,
    driver,
    services,
    capacity,
    pools,
    containers,
    autoReady: true,
    pool(name, options = {}, spec = {}) {
      const manifest = manifestOf(name, options);
      const pool = new Pool(
        {
          manifest,
          code: { codeId: "code", sourceDir: "/nowhere", entry: "app.mjs", nodeModules: [] },
          load: loadOf(manifest),
          startPolicy: { failuresUntilFailing: 3, retries: true },
          floor: "kept",
          scaling: {},
          ...spec,
        },
        services,
      );
      pools.set(name, pool);
      return pool;
    },
    call(pool) {
      const call: { -readonly [K in keyof ScriptedCall]: ScriptedCall[K] } = { ticket: null as never, state: "waiting", error: null, containerId: null };
      call.ticket = pool.submit(requestOf(ids("task")), {
        started: (info) => {
          call.state = "running";
          call.containerId = info.containerId;
        },
        result: () => void (call.state = "done"),
        head() {},
        data: () => true,
        end() {},
        error: ({ error }) => {
          call.state = "failed";
          call.error = error;
        },
      });
      return call;
    },
    containersOf: (name) => [...containers.values()].filter(({ spec }) => spec.functionName === name),
    turn: () => turns(3),
    settle,
    async advance(byMs) {
      await settle();
      clock.advance(byMs);
      await settle();
    },
    async dispose() {
      await Promise.all([...pools.values()].map((pool) => pool.close("shutdown", 0)));
      await driver.dispose();
      hub.dispose();
    },
  };
  return under;
}

function playWorker(spec: ContainerSpec, connection: Duplex, control: FakeWorkerControl, autoReady: () => boolean): ScriptedContainer {
  const send = (...frame: Parameters<typeof encodeFrame>): void => void connection.write(encodeFrame(...frame));
  const container: ScriptedContainer = {
    id: spec.containerId,
    spec,
    held: [],
    ignoresSignals: false,
    ready: () => send(FRAME.ready, 0, encodeValue({ heapUsedBytes: 0 })),
    fail(message) {
      send(FRAME.failed, 0, encodeValue({ phase: "start", hook: "load", error: { name: "Error", message } }));
      setImmediate(() => control.exit(1));
    },
    done: (value) => send(FRAME.done, 0, encodeValue({ value })),
    finish() {
      const stream = container.held.shift();
      if (stream !== undefined) connection.write(encodeHeadBodyFrame(FRAME.result, stream, { status: 200, headers: [] }, encodeValue(null)));
    },
  };
  const decoder = new FrameDecoder();
  connection.on("data", (chunk: Buffer) =>
    decoder.push(chunk, ({ type, stream, payload }) => {
      if (type === FRAME.load) void (autoReady() && (decodeValue(payload) as LoadMessage).mode === "serve" && container.ready());
      else if (type === FRAME.open) container.held.push(stream);
      else if (type === FRAME.ping) send(FRAME.pong, 0);
      else if (container.ignoresSignals) return;
      else if (type === FRAME.cancel) container.held.splice(0, container.held.length, ...container.held.filter((held) => held !== stream));
      else if (type === FRAME.stop) {
        send(FRAME.stopped, 0);
        setImmediate(() => control.exit(0));
      }
    }),
  );
  send(
    FRAME.hello,
    0,
    encodeValue({
      protocol: PROTOCOL_VERSION,
      containerId: spec.containerId,
      token: spec.token,
      workerIndex: 0,
      pid: control.pid,
      runtime: "scripted",
      resumed: false,
    }),
  );
  return container;
}

function manifestOf(name: string, options: Partial<FunctionOptions>): FunctionManifest {
  return {
    name,
    kind: "function",
    exportName: name,
    options: { ...DEFAULT_OPTIONS, ...options },
    hooks: { onBuild: [], onDeploy: [], onStart: [], onStop: [] },
    handler: { streaming: false, batch: null, inputSchema: null, outputSchema: null },
    methods: {},
    schedule: null,
    requiresParameters: false,
    builds: [[]],
  };
}

function loadOf({ name, options }: FunctionManifest): Omit<LoadMessage, "mode" | "bundlePath"> {
  return {
    app: "app",
    functionId: `function-of-${name}`,
    functionName: name,
    functionKind: "function",
    deployment: name,
    version: 1,
    exportName: name,
    compileCacheDir: null,
    parameters: [],
    onDeployValue: undefined,
    workers: options.workers,
    concurrencyMax: options.concurrencyMax,
    timeoutMs: options.timeoutMs,
    callbackUrl: null,
    stopGracePeriodMs: options.stopGracePeriodMs,
    functionIds: {},
    development: false,
  };
}
