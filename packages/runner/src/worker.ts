import type { Duplex } from "node:stream";
import {
  FRAME,
  PROTOCOL_VERSION,
  SamovarError,
  decodeValue,
  encodeValue,
  toSerializedError,
  type Frame,
  type HelloMessage,
  type LoadMessage,
  type LogSource,
  type SpawnMessage,
  type StopMessage,
  type StopReason,
  type WelcomeMessage,
} from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import { Batchers } from "./batcher.ts";
import { Calls } from "./calls.ts";
import type { WorkerFacts } from "./context.ts";
import { PhaseRecorder, describe } from "./hooks.ts";
import { Inputs } from "./inputs.ts";
import { openModule, type Loaded } from "./load.ts";
import { runSetUp } from "./set-up.ts";
import { scopes, type Scope } from "./scope.ts";
import { ServerLink, type LinkOptions } from "./server-link.ts";
import { runStopHooks } from "./stop-hooks.ts";
import { WorkerLog } from "./worker-log.ts";
import { nextState, type WorkerEvent, type WorkerState } from "./worker-state.ts";

export interface WorkerIdentity {
  readonly containerId: string;
  readonly token: string;
  readonly workerIndex: number;
  readonly pid: number;
  /** Such as `node 26.10.0`. */
  readonly runtimeVersion: string;
}

/** The world as a worker sees it, passed in: one process in a container, or several in a test's own. */
export interface WorkerOptions {
  readonly identity: WorkerIdentity;
  readonly connect: () => Promise<Duplex>;
  /** See `LinkOptions`. */
  readonly watchServer?: LinkOptions["watchServer"];
  readonly clock: Clock;
  /** Imports the bundle. What only loaded code needs (console, stack traces, the compile cache) is set up here. */
  readonly loadModule: (load: LoadMessage) => Promise<Readonly<Record<string, unknown>>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly heapUsedBytes: () => number;
  /** After the first input: what was compiled for it is worth keeping. */
  readonly onFirstInput?: () => void;
  /** Worker 0 of several: starts a sibling, now or again. */
  readonly spawnSibling?: (workerIndex: number) => void;
}

/** How long inputs may go on when a signal asks for the end. */
const DRAIN_MS = 300_000;
/** Without a server nobody can be given their answers: what runs may only come to an orderly end. */
const LOST_DRAIN_MS = 10_000;

/**
 * One worker: user code, its hooks, its inputs and its connection. States and what moves them: worker-state.ts. The
 * process around it is the caller's: `ended` says with which code it should exit.
 */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #link: ServerLink;
  readonly #calls: Calls;
  readonly #phases: PhaseRecorder;
  readonly #exits: (() => unknown)[] = [];
  readonly #setUpAbort = new AbortController();
  readonly #end = Promise.withResolvers<number>();
  readonly log: WorkerLog;
  /** What belongs to no hook and no input. */
  readonly scope: Scope;
  #state: WorkerState = "connecting";
  #facts: WorkerFacts | null = null;
  #loaded: Loaded | null = null;
  #inputs: Inputs | null = null;
  #setUp: Promise<void> = Promise.resolve();
  #started = false;
  #stopReason: StopReason = "stop";
  #cancelDrain: (() => void) | null = null;
  #endedAlone = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#link = new ServerLink({
      connect: options.connect,
      ...(options.watchServer ? { watchServer: options.watchServer } : {}),
      clock: options.clock,
      hello: () => this.#hello(),
      events: {
        welcomed: (message) => this.#onWelcomed(message),
        frame: (frame) => this.#onFrame(frame),
        lost: () => this.#onLost(),
        gone: (reason) => this.#onGone(reason),
      },
    });
    this.log = new WorkerLog(this.#link, options.clock, this.#exits);
    this.#calls = new Calls(this.#link, options.clock, () => this.#facts?.load.functionIds ?? {});
    this.#phases = new PhaseRecorder(this.#link, options.clock, this.log);
    this.scope = this.#createScope({ kind: "worker" }, undefined);
  }

  /** Resolves once, with the exit code, when all that had to be sent was sent. */
  get ended(): Promise<number> {
    return this.#end.promise;
  }

  /** Whether it ended without a server, which would see to what it left behind. */
  get endedAlone(): boolean {
    return this.#endedAlone;
  }

  get state(): WorkerState {
    return this.#state;
  }

  start(): void {
    this.#link.start();
  }

  /** A graceful stop from outside: tells the server, lets what is held finish, runs stop hooks, ends. */
  requestStop(reason: StopReason): void {
    if (this.#state === "connecting" || this.#state === "loading" || this.#state === "starting") {
      this.#link.control(FRAME.drain, encodeValue({ reason }));
      return this.#stop(reason, this.#graceMs);
    }
    if (!this.#move("drain")) return;
    this.#stopReason = reason;
    this.#link.control(FRAME.drain, encodeValue({ reason }));
    this.#inputs!.flushBatches();
    this.#cancelDrain = this.#options.clock.after(reason === "server-lost" ? LOST_DRAIN_MS : DRAIN_MS, () => this.#stop(reason, this.#graceMs));
    this.#stopWhenIdle();
  }

  /** Something was thrown where nobody catches: says so, and ends with code 1. Stop hooks don't run. */
  async crash(error: unknown): Promise<void> {
    if (this.#state === "ended") return;
    const scope = scopes.getStore() ?? this.scope;
    this.log.line(scope.source, "error", `Uncaught ${describe(error)}`);
    // It ends anyway, and one hook's stray error must not keep the others from closing what they hold.
    if (this.#state === "stopping") return;
    const current = this.#phases.current;
    if (current && (this.#state === "loading" || this.#state === "starting")) this.#phases.failed(current.phase, current.hook, toSerializedError(error));
    this.#state = "ended";
    await this.#finish(1);
  }

  /** The last chance of a process that exits now: hands over what was gathered, without waiting. */
  flush(): void {
    this.log.endScope(this.scope);
    this.log.flush();
    this.#link.flush();
  }

  /** Worker 0: how a sibling ended. */
  siblingExited(workerIndex: number, pid: number, code: number | null, signal: string | null): void {
    this.#link.control(FRAME.workerExit, encodeValue({ workerIndex, pid, code, signal }));
  }

  get #graceMs(): number {
    return this.#facts?.load.stopGracePeriodMs ?? 30_000;
  }

  #move(event: WorkerEvent): boolean {
    const next = nextState(this.#state, event);
    if (!next) return false;
    this.#state = next;
    return true;
  }

  #createScope(source: LogSource, ctx: object | undefined): Scope {
    return { source, ctx, transport: this.#calls, log: this.log, partial: null };
  }

  #hello(): HelloMessage {
    const { containerId, token, workerIndex, pid, runtimeVersion } = this.#options.identity;
    const held = this.#inputs?.list() ?? [];
    return {
      protocol: PROTOCOL_VERSION,
      containerId,
      token,
      workerIndex,
      pid,
      runtime: runtimeVersion,
      resumed: this.#state !== "connecting",
      ...(held.length > 0 ? { held } : {}),
    };
  }

  #onWelcomed({ streams }: WelcomeMessage): void {
    this.log.flush();
    this.#calls.welcomed();
    // A server that was started anew knows nothing of what was said to the old one.
    if (this.#state === "ready") this.#sendReady();
    if (this.#state === "draining") this.#link.control(FRAME.drain, encodeValue({ reason: this.#stopReason }));
    this.#inputs?.resume(streams ?? []);
  }

  #onLost(): void {
    this.#calls.lost();
    this.#inputs?.detachAll();
  }

  #onGone(reason: string): void {
    this.#calls.gone();
    if (this.#state === "connecting") {
      this.#state = "ended";
      return void this.#finish(1);
    }
    const kept = this.#inputs?.forsake() ?? 0;
    this.log.line({ kind: "system" }, "error", `The worker ends: ${reason}${kept > 0 ? `. Answers kept for it and dropped: ${kept}` : ""}`);
    this.requestStop("server-lost");
  }

  #onFrame(frame: Frame): void {
    if (frame.stream === 0) return this.#onControl(frame);
    if (frame.stream % 2 === 0) return this.#calls.frame(frame);
    if (this.#inputs) return this.#inputs.frame(frame);
    if (frame.type === FRAME.open) throw new SamovarError("protocol_error", "An input came before the worker was ready");
  }

  #onControl(frame: Frame): void {
    switch (frame.type) {
      case FRAME.load:
        return this.#load(decodeValue(frame.payload) as LoadMessage);
      case FRAME.stop: {
        const { reason, graceMs } = decodeValue(frame.payload) as StopMessage;
        return this.#stop(reason, graceMs);
      }
      case FRAME.ping:
        // At once, not with the turn's other frames: it asks whether this event loop still turns.
        this.#link.control(FRAME.pong, null);
        return this.#link.flush();
      case FRAME.spawn:
        return this.#options.spawnSibling?.((decodeValue(frame.payload) as SpawnMessage).workerIndex);
      case FRAME.drain:
        return this.#inputs?.flushBatches();
      case FRAME.welcome:
      case FRAME.pong:
        return;
      default:
        throw new SamovarError("protocol_error", `A server sent frame type 0x${frame.type.toString(16)} on stream 0`);
    }
  }

  #load(load: LoadMessage): void {
    if (!this.#move("load")) return;
    const { containerId, workerIndex, runtimeVersion } = this.#options.identity;
    this.#facts = { containerId, workerIndex, runtimeVersion, env: this.#options.env, load, onStartValue: undefined };
    // Siblings boot while this worker loads.
    if (load.mode === "serve") for (let i = 1; i < load.workers && workerIndex === 0; i++) this.#options.spawnSibling?.(i);
    this.#setUp = this.#runSetUp(load);
  }

  async #runSetUp(load: LoadMessage): Promise<void> {
    const result = await runSetUp({
      load,
      facts: this.#facts!,
      phases: this.#phases,
      log: this.log,
      signal: this.#setUpAbort.signal,
      createScope: (source, ctx) => this.#createScope(source, ctx),
      open: async () => openModule(await this.#options.loadModule(load), load),
      loaded: (loaded) => {
        this.#loaded = loaded;
        this.#move("loaded");
      },
    });
    if (result.kind === "failed" && this.#move("failed")) {
      this.#phases.failed(result.phase, result.hook, toSerializedError(result.error));
      await this.#finish(1);
    } else if (result.kind === "done" && load.mode === "serve") this.#onStarted();
    else if (result.kind === "done" && this.#move("finished")) {
      this.#link.control(FRAME.done, encodeValue({ value: result.value }));
      await this.#finish(0);
    }
  }

  #onStarted(): void {
    if (!this.#move("started")) return;
    this.#started = true;
    this.#inputs = new Inputs(
      {
        facts: this.#facts!,
        loaded: this.#loaded!,
        link: this.#link,
        log: this.log,
        transport: this.#calls,
        batchers: new Batchers(this.#options.clock, this.#facts!, this.#loaded!.instance),
      },
      {
        accepting: () => this.#state === "ready",
        firstDone: () => this.#options.onFirstInput?.(),
        idle: () => this.#stopWhenIdle(),
      },
    );
    this.#sendReady();
  }

  #sendReady(): void {
    this.#link.control(FRAME.ready, encodeValue({ heapUsedBytes: this.#options.heapUsedBytes() }));
  }

  #stopWhenIdle(): void {
    if (this.#state === "draining" && this.#inputs!.held === 0) this.#stop(this.#stopReason, this.#graceMs);
  }

  #stop(reason: StopReason, graceMs: number): void {
    if (!this.#move("stop")) return;
    this.#cancelDrain?.();
    void this.#runStop(reason, graceMs);
  }

  async #runStop(reason: StopReason, graceMs: number): Promise<void> {
    this.#setUpAbort.abort(new DOMException(`The worker stops: ${reason}`, "AbortError"));
    await runStopHooks({
      clock: this.#options.clock,
      graceMs,
      reason,
      setUp: this.#setUp,
      inputs: this.#inputs,
      hooks: this.#started ? this.#loaded!.definition.hooks.onStop : [],
      self: this.#loaded?.instance,
      facts: this.#facts,
      phases: this.#phases,
      log: this.log,
      exits: this.#exits,
      createScope: (source, ctx) => this.#createScope(source, ctx),
    });
    this.#move("stopped");
    this.#link.control(FRAME.stopped, null);
    await this.#finish(0);
  }

  async #finish(code: number): Promise<void> {
    this.log.endScope(this.scope);
    this.log.flush();
    this.#endedAlone = !this.#link.isOpen;
    await this.#link.close();
    this.#end.resolve(code);
  }
}

export function createWorker(options: WorkerOptions): Worker {
  return new Worker(options);
}
