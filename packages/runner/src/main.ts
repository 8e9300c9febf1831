/**
 * The runner's process: reads who it is, connects, and only then sets up what user code will need. Everything that
 * can wait until the server has heard HELLO waits.
 */
import { connect, Socket } from "node:net";
import { dirname } from "node:path";
import type { Duplex } from "node:stream";
import { pathToFileURL } from "node:url";
import { RUNTIME, type LoadMessage, type StopReason } from "@samovar/protocol";
import { systemClock } from "@samovar/kit";
import { installConsole } from "./console.ts";
import { takeIdentity } from "./identity.ts";
import { createWorkerRuntime } from "./scope.ts";
import { Siblings } from "./siblings.ts";
import { installStackTraces } from "./stack-traces.ts";
import { createWorker } from "./worker.ts";

const own = takeIdentity(process.env);
let siblings: Siblings | null = null;

const worker = createWorker({
  identity: { ...own, pid: process.pid, runtimeVersion: `node ${process.versions.node}` },
  connect: () => dial(own.server),
  watchServer: (mayBeThere) => watchSocket(own.server, mayBeThere),
  clock: systemClock,
  loadModule,
  env: process.env,
  heapUsedBytes: () => process.memoryUsage().heapUsed,
  onFirstInput: () => setImmediate(() => process.getBuiltinModule("node:module").flushCompileCache()),
  spawnSibling: (workerIndex) => {
    // The environment is taken at LOAD, before user code can change it.
    siblings ??= new Siblings({
      script: process.argv[1]!,
      env: { ...process.env, ...own.variables },
      onExit: (exit) => worker.siblingExited(exit.workerIndex, exit.pid, exit.code, exit.signal),
    });
    siblings.spawn(workerIndex);
  },
});

worker.start();

// Holds the process while it waits for its server; sockets and timers of user code come and go.
setInterval(() => {}, 2 ** 30);
process.on("uncaughtException", (error) => void worker.crash(error));
process.on("unhandledRejection", (error) => void worker.crash(error));
process.on("SIGTERM", () => onSignal("stop", 143));
process.on("SIGINT", () => onSignal("interrupt", 130));
process.on("exit", () => worker.flush());
if (own.controlFd !== null) listenToWorkerZero(own.controlFd);
void worker.ended.then(async (code) => {
  // The container lives as long as worker 0: siblings that still run their stop hooks are waited for.
  if (code === 0) {
    await siblings?.allExited();
    // Behind what user code does at its exit.
    if (worker.endedAlone) process.on("exit", endGroup);
  }
  process.exit(code);
});

let stopping = false;

function onSignal(reason: StopReason, exitCode: number): void {
  if (stopping) return endAtOnce(exitCode);
  stopping = true;
  siblings?.stop();
  worker.requestStop(reason);
}

function endAtOnce(exitCode: number): void {
  siblings?.kill();
  process.exit(exitCode);
}

/**
 * What user code has started and left: without a server there is nobody else to end it, and it may wait for ever for somebody
 * who reads its output. Drivers give worker 0 a process group of its own; no group has the number of any other worker.
 */
function endGroup(): void {
  try {
    process.kill(-process.pid, "SIGKILL");
  } catch {
    // Started by hand.
  }
}

/** Worker 0 passes on that it was asked to stop, so that a signal to it alone reaches the whole container. */
function listenToWorkerZero(fd: number): void {
  const control = new Socket({ fd, readable: true, writable: false });
  control.unref();
  control.on("error", () => {});
  control.on("data", () => {
    if (stopping) return;
    stopping = true;
    worker.requestStop("stop");
  });
}

async function loadModule(load: LoadMessage): Promise<Readonly<Record<string, unknown>>> {
  (globalThis as { [RUNTIME]?: unknown })[RUNTIME] = createWorkerRuntime(() => worker.scope);
  installConsole(worker.scope);
  installStackTraces(import.meta.url);
  if (load.compileCacheDir !== null) process.getBuiltinModule("node:module").enableCompileCache(load.compileCacheDir);
  return (await import(pathToFileURL(load.bundlePath).href)) as Readonly<Record<string, unknown>>;
}

/** A server that begins to listen makes its socket in a folder that is there. Of a port nothing can be heard. */
function watchSocket(server: string, changed: () => void): () => void {
  if (!server.startsWith("/")) return () => {};
  try {
    const { watch } = process.getBuiltinModule("node:fs");
    const watcher = watch(dirname(server), { persistent: false }, changed);
    watcher.on("error", () => {});
    return () => watcher.close();
  } catch {
    return () => {};
  }
}

/** A path is a Unix socket, anything else host:port. */
function dial(server: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const tcp = /^(?:\[(.+)\]|([^/]+)):(\d+)$/.exec(server);
    const socket = tcp ? connect({ host: tcp[1] ?? tcp[2]!, port: Number(tcp[3]), noDelay: true }) : connect({ path: server });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}
