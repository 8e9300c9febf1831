import {
  SamovarError,
  describeExit,
  fromSerializedError,
  type ContainerId,
  type ContainerInfo,
  type ExitStatus,
  type FailedMessage,
  type HelloMessage,
  type StopReason,
} from "@samovar/protocol";
import type { ExecCommand, ExecProcess } from "@samovar/runtime";
import { ContainerRecord } from "./container-record.ts";
import { ContainerReturn } from "./container-return.ts";
import type { ContainerHost, ContainerOwner, ContainerPlan, LeftContainer, StartFailure } from "./container-types.ts";
import { ProcessTree } from "./process-tree.ts";
import { awaitsWorker } from "./decisions/awaits-worker.ts";
import { startBackoffMs } from "./decisions/start-backoff.ts";
import { describePosition } from "./decisions/wait-reason.ts";
import { nextContainerState, type ContainerEvent, type ContainerState } from "./states.ts";
import { Worker } from "./worker.ts";
import type { WorkerSeat } from "./worker-hub.ts";
import type { PeerEvents, WorkerPeer } from "./worker-peer.ts";

/** A connection and its process end within moments of each other; past this the process is ended for it. */
const EXIT_AFTER_CLOSE_MS = 2_000;
/** Beyond the user's grace period: for given-up inputs to settle, and for the runner to say goodbye and exit. */
const STOP_MARGIN_MS = 5_000;

/**
 * One container: its process tree at the driver, its workers' connections, and its way through the states of
 * `states.ts`. It decides nothing about how many there are; it carries out start, drain, stop and kill, and tells its
 * owner what happened.
 */
export class Container {
  readonly id: ContainerId;
  readonly plan: ContainerPlan;
  readonly workers: readonly Worker[];
  readonly tree: ProcessTree;
  readonly record: ContainerRecord;
  readonly tokenHash: string;
  readonly startedAtMs: number;
  readonly inputs: { done: number; failed: number };
  /** Rises with every input given: the most recently used container is given work first. */
  lastUsed = 0;
  /** When it last became idle, or ready; meaningless before, and while it holds inputs. */
  idleSinceMs = 0;
  readyAtMs: number | null = null;
  endedAtMs: number | null = null;
  stopReason: StopReason | null = null;
  /** Of one that an earlier server started. */
  comeback: ContainerReturn | null = null;
  /** Why it failed or ended, for people. */
  reason: string | null = null;

  readonly #host: ContainerHost;
  readonly #owner: ContainerOwner;
  readonly #startedMonotonicMs: number;
  #state: ContainerState;
  #mainExit: ExitStatus | null = null;
  #failure: StartFailure | null = null;
  #unexpect: () => void = () => {};
  #cancelTimer: () => void = () => {};
  #drainStartedMs = 0;
  #killing = false;
  /** Under way while what hooks left is taken from the folder; null before and without. */
  #taking: Promise<void> | null = null;

  /** `left`: an earlier server started it. Then it is awaited, by `awaitReturn`, and not started. */
  constructor(host: ContainerHost, owner: ContainerOwner, plan: ContainerPlan, left: LeftContainer | null = null) {
    this.#host = host;
    this.#owner = owner;
    this.id = plan.containerId;
    this.plan = plan;
    this.record = new ContainerRecord(host, this, left?.info.phases ?? []);
    const driverEvents = this.record.driverEvents((exit) => this.#onMainExit(exit));
    this.tree = new ProcessTree(host, plan, driverEvents);
    this.tokenHash = left?.facts.tokenHash ?? this.tree.tokenHash;
    this.startedAtMs = left?.info.startedAtMs ?? host.clock.now();
    this.#startedMonotonicMs = host.clock.monotonic();
    this.workers = Array.from({ length: plan.load.workers }, (_, index) => new Worker(this, index));
    this.#state = left ? "returning" : "starting";
    this.inputs = { done: left?.info.inputs.done ?? 0, failed: left?.info.inputs.failed ?? 0 };
  }

  get state(): ContainerState {
    return this.#state;
  }

  /** Takes inputs or will: what counts as capacity. */
  get isActive(): boolean {
    return this.isComing || this.#state === "ready";
  }

  /** On its way to being ready, by its start or by its return. */
  get isComing(): boolean {
    return this.#state === "starting" || this.#state === "returning";
  }

  /** How its start ends is still to be told to its owner. */
  get hasOpenStart(): boolean {
    return this.#state === "starting" || (this.#failure !== null && this.#state !== "ended");
  }

  get heldCount(): number {
    let count = 0;
    for (const worker of this.workers) count += worker.held.size;
    return count;
  }

  /** Runs another program in it, in whatever state it is. Rejects with `not_found` while it has no process, or none any more. */
  async exec(command: ExecCommand): Promise<ExecProcess> {
    if (this.#state !== "ended") return this.tree.exec(command);
    throw new SamovarError("not_found", `The container ${this.id} has ended: there is no process to run a program beside`);
  }

  start(): void {
    this.#expectWorkers();
    this.#cancelTimer = this.#host.clock.after(this.plan.startupTimeoutMs, () => {
      const where = describePosition(this.record.startPosition);
      this.#failStart(`The container was not ready within ${this.plan.startupTimeoutMs / 1_000} s (${where}). Make the start quicker, or raise startupTimeout`);
    });
    this.tree.start().then(
      () => this.#host.containerChanged(this),
      (error: unknown) => {
        this.#mainExit ??= { kind: "exit", code: null, signal: null };
        this.#fail({ phase: "create", hook: null, error: error instanceof Error ? error : new Error(String(error)), lastLines: [] });
      },
    );
    this.#host.containerChanged(this);
  }

  #expectWorkers(): void {
    const { hub, containerTokens } = this.#host;
    this.#unexpect = hub.expect(this.id, this.tokenHash, { attach: (hello) => this.#attach(hello) });
    containerTokens?.add(this.id, this.tokenHash, this.plan.load.app);
  }

  /** In place of `start`. */
  awaitReturn(left: LeftContainer): void {
    this.comeback = new ContainerReturn(this.#host, this.plan, this.tree, left, {
      workers: this.workers,
      taken: () => this.record.log("stdout", "A restarted server took the container back", { kind: "system" }),
      workerLost: (worker) => this.#loseWorker(worker, { kind: "lost", code: null, signal: null }),
      overdue: () => {
        if (this.#state === "stopping") return void this.#kill();
        this.#owner.retired(this);
        this.drain("server-lost", null);
      },
      givenUp: (reason) => {
        this.reason ??= reason;
        if (this.#state === "stopping") void this.#kill();
        else this.stop("server-lost");
      },
    });
    this.readyAtMs = this.comeback.readyAtMs;
    this.#expectWorkers();
    this.#host.containerChanged(this);
  }

  /**
   * Takes no new inputs, lets those it holds finish for at most `drainMs` (null: their own timeouts bound them), then
   * stops. During the start phase there is nothing to drain: it stops at once.
   */
  drain(reason: StopReason, drainMs: number | null): void {
    // A sibling of a starting worker may hold inputs already: then there is something to drain.
    if (this.#state === "starting" && this.heldCount === 0) return this.stop(reason);
    if (this.#state === "draining" && drainMs !== null) return this.#boundDrain(drainMs);
    if (!this.#move("drain")) return;
    this.stopReason = reason;
    this.#drainStartedMs = this.#host.clock.monotonic();
    for (const worker of this.workers) worker.retire(reason);
    if (drainMs !== null) this.#boundDrain(drainMs);
    this.#host.containerChanged(this);
    this.checkDrained();
  }

  #boundDrain(drainMs: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#host.clock.after(drainMs, () => this.stop(this.stopReason ?? "stop"));
  }

  /** Hands back what is still held, runs stop hooks, and ends; the tree is killed when that takes too long. */
  stop(reason: StopReason): void {
    const wasStarting = this.#state === "starting";
    // Asked again, it is no longer waited for one that might come back.
    if (!this.#move("stop")) return this.comeback?.isAwaited ? void this.#kill() : undefined;
    this.stopReason ??= reason;
    if (this.#drainStartedMs > 0) this.record.phase({ phase: "drain", durationMs: this.#host.clock.monotonic() - this.#drainStartedMs });
    this.#cancelTimer();
    this.comeback?.settleInputs();
    for (const worker of this.workers) worker.giveBackAll();
    const graceMs = this.plan.load.stopGracePeriodMs;
    const connected = this.workers.filter((worker) => worker.peer !== null);
    for (const worker of connected) worker.stop(reason, graceMs);
    this.#host.containerChanged(this);
    // A process that has not said HELLO has run no user code: there is nothing to be graceful about.
    if (connected.length === 0) return this.comeback?.isAwaited ? undefined : void this.#kill();
    this.#boundStop(wasStarting);
  }

  #boundStop(wasStarting: boolean): void {
    const graceMs = this.plan.load.stopGracePeriodMs;
    // A start hook that ignores its signal has no promise of a grace period, since no stop hook follows it.
    this.#cancelTimer = this.#host.clock.after(wasStarting ? STOP_MARGIN_MS : graceMs + STOP_MARGIN_MS, () => {
      this.reason ??= wasStarting ? "The start phase did not end when it was stopped" : `Stop hooks did not end within ${graceMs / 1_000} s`;
      this.record.phase({ phase: "stop", durationMs: graceMs, outcome: "failed", detail: "Killed: the grace period was over" });
      void this.#kill();
    });
  }

  /** Ends it at once, without stop hooks. */
  kill(reason: string): void {
    this.reason ??= reason;
    this.stopReason ??= "stop";
    this.#move("stop");
    void this.#kill();
  }

  /** Ends one worker at once: its event loop is blocked. Worker 0 takes the container with it when the others are done. */
  killWorker(worker: Worker, reason: string): void {
    if (worker.index === 0) this.reason ??= reason;
    worker.lostReason = reason;
    const isWholeContainer = this.workers.length === 1 || worker.pid === null;
    if (isWholeContainer) return void this.#kill();
    this.tree.killProcess(worker.pid!);
  }

  /** The worker takes no more inputs and ends when it holds none; where it can be started again alone, it is. */
  retireWorker(worker: Worker, reason: StopReason): void {
    if (worker.index === 0) {
      this.#owner.retired(this);
      return this.drain(reason, null);
    }
    if (worker.retire(reason)) this.checkWorkerDrained(worker, reason);
  }

  /** Called whenever an input ended: whoever waits for the last one goes on. */
  checkDrained(): void {
    // What one holds that is coming back is not known yet.
    if (this.comeback?.isOver === false) return;
    if (this.#state === "draining") {
      if (this.workers.every((worker) => worker.state === "gone" || worker.isDone)) this.stop(this.stopReason ?? "stop");
    } else if (this.#state === "ready") {
      for (const worker of this.workers) if (worker.state === "retiring") this.checkWorkerDrained(worker, "replaced");
    }
  }

  checkWorkerDrained(worker: Worker, reason: StopReason): void {
    if (worker.state !== "retiring" || !worker.isDone || !worker.stop(reason, this.plan.load.stopGracePeriodMs)) return;
    worker.cancelTimer = this.#host.clock.after(this.plan.load.stopGracePeriodMs + STOP_MARGIN_MS, () =>
      this.killWorker(worker, "Stop hooks did not end in time"),
    );
  }

  info(): ContainerInfo {
    return this.record.info(this.#failure !== null);
  }

  // --- what the driver pushes

  /** What it said before it ended may still be on its connection: that is read to its end first. */
  #onMainExit(exit: ExitStatus): void {
    if (this.#mainExit) return;
    this.#mainExit = exit;
    const main = this.workers[0]!;
    if (!main.peer) return this.#afterMainExit(exit);
    main.cancelTimer();
    main.cancelTimer = this.#host.clock.after(EXIT_AFTER_CLOSE_MS, () => main.peer?.destroy());
  }

  #afterMainExit(exit: ExitStatus): void {
    const text = describeExit(exit);
    // How one ended that was taken back the driver may not know; that it said goodbye is enough.
    const isClean = exit.kind === "lost" ? this.workers[0]!.saidGoodbye : exit.kind === "exit" && exit.code === 0;
    const asAsked = (this.#state === "stopping" || this.#taking !== null) && isClean;
    this.record.phase({ phase: "exit", outcome: asAsked ? "ok" : "failed", detail: text });
    // Where it was ready and took inputs it ended by one of those: no start failed, though siblings may still start.
    if (this.#state === "starting" && !this.workers[0]!.wasReady) {
      return this.#failStart(`The container ended during its start: ${text}`);
    }
    if (this.#state !== "stopping") this.reason ??= text;
    this.#loseWorker(this.workers[0]!, exit);
    // Siblings are processes of their own: they finish what they hold, then the container is over.
    if (this.isActive) {
      this.#owner.retired(this);
      this.drain("replaced", null);
    }
    this.#checkGone();
  }

  // --- what workers say

  #attach(hello: HelloMessage): WorkerSeat | { readonly refused: string } {
    const worker = this.workers[hello.workerIndex];
    const { concurrencyMax } = this.plan.load;
    const seat = worker?.peer ? null : (worker?.state ?? null);
    if (!worker || !awaitsWorker({ hello, container: this.#state, worker: seat, way: this.comeback, concurrencyMax }))
      return { refused: `Container ${this.id} awaits no worker ${hello.workerIndex}` };
    if (worker.state === "gone" && !worker.move("respawn")) return { refused: "The worker is over" };
    worker.pid = hello.pid;
    return {
      events: this.#peerEvents(worker),
      attached: (peer) => {
        worker.peer = peer;
        worker.helloAtMs = this.#host.clock.monotonic();
        if (hello.resumed) {
          this.comeback!.workerIsBack();
          if (this.#state !== "stopping") return this.#owner.resumed(worker, hello.held ?? [], peer);
          worker.stop(this.stopReason!, this.plan.load.stopGracePeriodMs);
          this.#boundStop(false);
          return [];
        }
        if (worker.index === 0) this.record.phase({ phase: "create", durationMs: worker.helloAtMs - this.#startedMonotonicMs, startedAtMs: this.startedAtMs });
        void this.#loadWhenPlaced(worker, peer);
        return [];
      },
    };
  }

  /** The driver may still be placing the process when it connects; the path of the code is only known after. */
  async #loadWhenPlaced(worker: Worker, peer: WorkerPeer): Promise<void> {
    const codePath = await this.tree.placed();
    if (codePath === null) return;
    peer.load({ ...this.plan.load, bundlePath: `${codePath}/${this.plan.code.entry}` });
    worker.loadedAtMs = this.#host.clock.monotonic();
  }

  #peerEvents(worker: Worker): PeerEvents {
    return {
      begin: (message) => this.record.begins(message),
      phase: (message) => {
        this.record.told(worker.index, message);
        if (message.phase === "stop" && message.outcome === "failed")
          this.reason ??= `Stop hook ${message.hook ?? ""} failed: ${message.error?.message ?? "no reason given"}`;
        this.#host.containerChanged(this);
      },
      ready: () => (this.comeback ? this.comeback.whenTaken(() => this.#onReady(worker)) : this.#onReady(worker)),
      failed: (message) => this.#onFailed(worker, message),
      done: (message) => {
        // From here on its exit is no failed start.
        if (this.#move("all-ready")) this.#cancelTimer();
        this.#taking = this.#owner.hooksDone(this, message) ?? null;
      },
      drainRequested: ({ reason }) => {
        if (worker.index !== 0) return this.retireWorker(worker, reason);
        this.#owner.retired(this);
        this.drain(reason, this.plan.drainTimeoutMs);
      },
      stopped: () => {
        worker.saidGoodbye = true;
      },
      pong: () => worker.answerPing(),
      log: (message) => this.record.workerLines(worker.index, message),
      workerExit: (message) => {
        const sibling = this.workers[message.workerIndex];
        if (!sibling || sibling === worker || (sibling.pid !== null && sibling.pid !== message.pid)) return;
        void this.#siblingExited(sibling, message.code, message.signal);
      },
      call: (head, body, reply) => this.#host.call(this, head, body, reply),
      closed: (error) => this.#onPeerClosed(worker, error),
    };
  }

  #onReady(worker: Worker): void {
    if (!worker.move("ready")) return;
    worker.failures = 0;
    this.#checkWhole();
    if (this.#state === "draining") return void worker.retire(this.stopReason ?? "stop");
    // The pool first: whoever hears of the change must find it serving.
    this.#owner.workerReady(this);
    this.#host.containerChanged(this);
  }

  /** Of one that comes back, workers that were lost meanwhile are started again beside those that serve. */
  #checkWhole(): void {
    if (!this.workers.every((w) => w.wasReady || (this.comeback && w.state === "gone"))) return;
    this.comeback?.end();
    if (!this.#move("all-ready")) return this.checkDrained();
    this.#cancelTimer();
    this.idleSinceMs = this.#host.clock.now();
    if (!this.comeback) {
      this.readyAtMs = this.idleSinceMs;
      this.record.phase({ phase: "ready", durationMs: this.#host.clock.monotonic() - this.#startedMonotonicMs, startedAtMs: this.startedAtMs });
    }
    this.#owner.becameReady(this);
  }

  #onFailed(worker: Worker, message: FailedMessage): void {
    const error = fromSerializedError(message.error);
    if (this.#state === "starting") return this.#fail({ phase: message.phase, hook: message.hook, error, lastLines: [] });
    // A worker that is started again in a running container fails alone; its exit brings the next try.
    worker.lostReason = `${message.hook ?? message.phase} failed: ${error.message}`;
  }

  #onPeerClosed(worker: Worker, error: SamovarError | null): void {
    worker.peer = null;
    if (error) {
      worker.lostReason = error.message;
      this.record.log("stderr", `The connection of worker ${worker.index} was ended: ${error.message}`, { kind: "system" }, worker.index);
    }
    if (worker.state === "gone" || this.#state === "ended") return;
    if (worker.saidGoodbye && worker.index !== 0) {
      this.#loseWorker(worker, { kind: "exit", code: 0, signal: null });
      return this.#checkGone();
    }
    if (worker.index === 0 && this.#mainExit) {
      worker.cancelTimer();
      return this.#afterMainExit(this.#mainExit);
    }
    // Its exit is about to be told: by the driver for worker 0, by worker 0 for the others. A process that goes on without its connection is of no use and is ended.
    worker.cancelTimer();
    worker.cancelTimer = this.#host.clock.after(error || this.#mainExit ? 0 : EXIT_AFTER_CLOSE_MS, () => {
      if (worker.index === 0) return void this.#kill();
      if (worker.pid !== null) this.tree.killProcess(worker.pid);
      this.#loseWorker(worker, { kind: "lost", code: null, signal: null });
      this.#checkGone();
    });
  }

  async #siblingExited(worker: Worker, code: number | null, signal: string | null): Promise<void> {
    const oom = (signal === "SIGKILL" || signal === "SIGABRT") && worker.lostReason === null && (await this.tree.tookOom());
    this.#loseWorker(worker, { kind: oom ? "oom" : signal ? "signal" : "exit", code, signal });
    this.#checkGone();
  }

  /** The worker's process is over. What it held is lost for the reason given; where the container goes on, so does its seat. */
  #loseWorker(worker: Worker, exit: ExitStatus): void {
    worker.cancelTimer();
    const wasStopping = worker.state === "stopping";
    const reason = worker.lostReason ?? describeExit(exit);
    if (!worker.lose(reason)) return;
    const startFailed = !worker.wasReady;
    const position = this.record.startPosition;
    worker.reset();
    if (this.#state === "starting" && startFailed) {
      return this.#failStart(`Worker ${worker.index} ended during its start: ${reason}`, position);
    }
    if (!this.isActive || worker.index === 0) return;
    if (startFailed || !wasStopping) worker.failures++;
    const delayMs = worker.failures === 0 ? 0 : startBackoffMs(worker.failures);
    this.#checkWhole();
    worker.cancelTimer = this.#host.clock.after(delayMs, () => {
      if (this.isActive) this.workers[0]!.peer?.spawn(worker.index);
    });
    this.#host.containerChanged(this);
  }

  // --- the end

  #failStart(message: string, position = this.record.startPosition): void {
    this.#fail({ ...position, error: new SamovarError("start_failed", message), lastLines: [] });
  }

  #fail(failure: StartFailure): void {
    if (this.#failure || this.#state !== "starting") return;
    this.#failure = { ...failure, lastLines: this.record.lastLines };
    this.reason = `${failure.hook ?? failure.phase}: ${failure.error.message}`;
    if (failure.phase === "create" || !this.record.phases.some((p) => p.phase === failure.phase && p.outcome === "failed")) {
      this.record.phase({ phase: failure.phase, hook: failure.hook, outcome: "failed", detail: failure.error.message });
    }
    this.#move("stop");
    void this.#kill();
  }

  async #kill(): Promise<void> {
    this.#killing = true;
    await this.#taking;
    await this.comeback?.claim();
    await this.tree.kill();
    const exit: ExitStatus = this.#mainExit ?? { kind: "lost", code: null, signal: null };
    for (const worker of this.workers) this.#loseWorker(worker, exit);
    this.#finish();
  }

  /** When no worker is left, what remains of the tree is removed. */
  #checkGone(): void {
    if (this.#killing || this.isComing || this.#state === "ended") return;
    if (this.#mainExit && this.workers.every((worker) => worker.state === "gone" || (!worker.peer && worker.pid === null))) void this.#kill();
    else this.checkDrained();
  }

  #finish(): void {
    if (!this.#move("gone")) return;
    this.#cancelTimer();
    this.#unexpect();
    this.#host.containerTokens?.remove(this.id);
    this.comeback?.end();
    this.endedAtMs = this.#host.clock.now();
    this.#owner.ended(this, this.#failure);
    this.#host.containerChanged(this);
  }

  #move(event: ContainerEvent): boolean {
    const next = nextContainerState(this.#state, event);
    if (!next) return false;
    this.#state = next;
    return true;
  }
}
