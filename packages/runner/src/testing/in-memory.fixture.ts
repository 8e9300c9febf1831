import { duplexPair, type Duplex } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { FRAME, type HelloMessage, type LoadMessage } from "@samovar/protocol";
import { FakeClock } from "@samovar/kit";
import { createWorker, type Worker } from "../worker.ts";
import { TestPeer, loadMessage } from "./test-peer.fixture.ts";

export interface Bench {
  readonly worker: Worker;
  readonly clock: FakeClock;
  /** The server's end of the first connection. */
  readonly peer: TestPeer;
  /** The server's end of the next connection; while `away` is true, dialing fails. */
  connection(): Promise<TestPeer>;
  /** Breaks the newest connection. The worker dials again when the clock goes on. */
  lose(): Promise<void>;
  /** Lets the worker dial: the server's end of the connection, not yet welcomed, and what it said. */
  redial(): Promise<{ readonly peer: TestPeer; readonly hello: HelloMessage }>;
  away: boolean;
  /** A server may have begun to listen; null while the worker doesn't want to know. */
  mayBeThere: (() => void) | null;
  /** How often the worker tried to connect. */
  dials: number;
}

/** A worker of a module that is given, over memory, on a clock that stands still. Welcomed, not yet loaded. */
export async function startWorker(module: Record<string, unknown> | (() => Promise<Record<string, unknown>>)): Promise<Bench> {
  const clock = new FakeClock();
  const arrived: TestPeer[] = [];
  let newest: TestPeer | undefined;
  const waiting: ((peer: TestPeer) => void)[] = [];
  const bench = {
    away: false,
    mayBeThere: null as (() => void) | null,
    dials: 0,
    clock,
    lose: async (): Promise<void> => {
      newest!.socket.destroy();
      await newest!.closed;
      // The worker's end hears of it a turn later.
      await turn();
    },
    redial: async (): Promise<{ peer: TestPeer; hello: HelloMessage }> => {
      const before = bench.dials;
      for (; bench.dials === before; await turn()) clock.advance(20);
      const peer = await bench.connection();
      return { peer, hello: await peer.message<HelloMessage>(FRAME.hello) };
    },
    connection: (): Promise<TestPeer> => {
      const peer = arrived.shift();
      return peer ? Promise.resolve(peer) : new Promise((resolve) => waiting.push(resolve));
    },
  };
  const connect = async (): Promise<Duplex> => {
    bench.dials++;
    if (bench.away) throw new Error("nobody listens");
    const [near, far] = duplexPair();
    const peer = new TestPeer(far);
    newest = peer;
    const wake = waiting.shift();
    if (wake) wake(peer);
    else arrived.push(peer);
    return near;
  };
  const worker = createWorker({
    identity: { containerId: "ct_1", token: "secret", workerIndex: 0, pid: 1, runtimeVersion: "node 26" },
    connect,
    watchServer: (changed) => {
      bench.mayBeThere = changed;
      return () => void (bench.mayBeThere = null);
    },
    clock,
    loadModule: async () => (typeof module === "function" ? module() : module),
    env: { COLOUR: "red" },
    heapUsedBytes: () => 1,
  });
  worker.start();
  const peer = await bench.connection();
  await peer.welcome();
  return Object.assign(bench, { worker, peer });
}

/** The same, loaded and ready. */
export async function readyWorker(module: Record<string, unknown>, load: Partial<LoadMessage> = {}): Promise<Bench> {
  const bench = await startWorker(module);
  bench.peer.say(FRAME.load, loadMessage("/bundle.mjs", load));
  await bench.peer.take(FRAME.ready);
  return bench;
}
