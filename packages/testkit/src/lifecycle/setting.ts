import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { FakeClock, makeFolders, silentLogger, systemClock, type Clock } from "@samovar/kit";
import { RUNTIME, type ExitStatus } from "@samovar/protocol";
import { bundleRunner, createWorker, createWorkerRuntime } from "@samovar/runner";
import {
  createFakeDriver,
  createOciDriver,
  createProcessDriver,
  type FakeDriver,
  type OciDriverOptions,
  type ProcessDriverOptions,
  type RunWorker,
  type RuntimeDriver,
} from "@samovar/runtime";
import { WorkerHub } from "@samovar/scheduler";
import type { BuiltApp } from "./app-under-test.ts";

/** Where a lifecycle case runs: a driver, its clock, and the hub its workers connect to. */
export interface LifecycleSetting {
  readonly driver: RuntimeDriver;
  readonly hub: WorkerHub;
  readonly clock: Clock;
  readonly serverAddress: string;
  /** The fake driver and its clock, where time and failures are controlled; null where they are real. */
  readonly fake: { readonly driver: FakeDriver; readonly clock: FakeClock } | null;
  /** The app whose code the next containers load (the fake driver loads it in this process). */
  setApp(app: BuiltApp): void;
  dispose(): Promise<void>;
}

/** What settings with real containers have in common, so that it is made once: the runner, and what trying this machine has told. */
export class LifecycleGround {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<LifecycleGround> {
    const folder = await mkdtemp(join(tmpdir(), "samovar-lc-"));
    await bundleRunner(join(folder, "runner.mjs"));
    return new LifecycleGround(folder);
  }

  dispose(): Promise<void> {
    return rm(this.folder, { recursive: true });
  }
}

/** Containers as processes, in real time. */
export const createProcessSetting = (ground: LifecycleGround): Promise<LifecycleSetting> => createRealSetting(ground, createProcessDriver);

/** Containers with namespaces and a root of their own, in real time. */
export const createOciSetting = (ground: LifecycleGround): Promise<LifecycleSetting> => createRealSetting(ground, createOciDriver);

async function createRealSetting(
  { folder }: LifecycleGround,
  create: (options: ProcessDriverOptions & OciDriverOptions) => Promise<RuntimeDriver>,
): Promise<LifecycleSetting> {
  // Of the same name each time: what was found out by trying is of this home.
  const home = join(folder, "home");
  const hub = new WorkerHub({ clock: systemClock, logger: silentLogger });
  const serverAddress = join(home, "server/w");
  makeFolders(dirname(serverAddress));
  const server = await listen(serverAddress, hub);
  const driver = await create({
    home: join(home, "containers"),
    nodePath: process.execPath,
    runnerFile: join(folder, "runner.mjs"),
    verdictFile: join(folder, "verdict.json"),
    clock: systemClock,
    logger: silentLogger,
  });
  return {
    driver,
    hub,
    clock: systemClock,
    serverAddress,
    fake: null,
    setApp() {},
    async dispose() {
      await driver.dispose();
      hub.dispose();
      server.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Containers played in this process by the real runner's core; time stands still until the test moves it. */
export async function createFakeSetting(): Promise<LifecycleSetting> {
  const clock = new FakeClock();
  const hub = new WorkerHub({ clock, logger: silentLogger });
  let app: BuiltApp | null = null;
  const driver = createFakeDriver({ clock, accept: (connection) => hub.accept(connection), runWorker: (...args) => playRunner(clock, () => app!, ...args) });
  return {
    driver,
    hub,
    clock,
    serverAddress: "in-memory",
    fake: { driver, clock },
    setApp: (next) => void (app = next),
    async dispose() {
      await driver.dispose();
      hub.dispose();
    },
  };
}

/** One container: worker 0 over its connection, siblings over connections of their own. */
function playRunner(clock: Clock, app: () => BuiltApp, ...[spec, connection, control]: Parameters<RunWorker>): Promise<void> {
  const run = (index: number, pid: number, socket: typeof connection, ended: AbortSignal, onEnd: (code: number) => void): ReturnType<typeof createWorker> => {
    let dialled = false;
    const worker = createWorker({
      identity: { containerId: spec.containerId, token: spec.token, workerIndex: index, pid, runtimeVersion: "node (in process)" },
      connect: () => {
        if (dialled) return Promise.reject(new Error("A connection in memory is not made twice"));
        dialled = true;
        return Promise.resolve(socket);
      },
      clock,
      loadModule: () => {
        (globalThis as Record<symbol, unknown>)[RUNTIME] = createWorkerRuntime(() => undefined);
        return app().load();
      },
      env: spec.env,
      heapUsedBytes: () => 0,
      spawnSibling: (sibling) => {
        const process = control.fork();
        run(sibling, process.pid, process.connection, process.ended, (code) => worker.siblingExited(sibling, process.pid, code, null));
        process.ended.addEventListener("abort", () => {
          const exit = process.ended.reason as ExitStatus | undefined;
          if (exit?.kind) worker.siblingExited(sibling, process.pid, exit.code, exit.signal);
        });
      },
    });
    ended.addEventListener("abort", () => socket.destroy(), { once: true });
    void worker.ended.then((code) => {
      if (!ended.aborted) onEnd(code);
    });
    worker.start();
    return worker;
  };
  const main = run(0, control.pid, connection, control.ended, (code) => control.exit(code));
  control.onTerminate(() => main.requestStop("stop"));
  return Promise.resolve();
}

function listen(path: string, hub: WorkerHub): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => hub.accept(socket));
    server.once("error", reject);
    server.listen(path, () => resolve(server));
  });
}
