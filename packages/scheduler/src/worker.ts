import type { StopReason } from "@samovar/protocol";
import type { Container } from "./container.ts";
import { nextWorkerState, type WorkerEvent, type WorkerState } from "./states.ts";
import type { WorkerPeer } from "./worker-peer.ts";

/** An input in a worker's hands, as the container sees it. */
export interface WorkerInput {
  /** Its caller was answered (timeout, hang-up) and the handler goes on regardless: nobody waits for it. */
  readonly stuck: boolean;
  /** The worker is gone: `oom`, `exit 3`, `SIGSEGV` … Also after `giveBack`. */
  lost(reason: string): void;
  /** The container stops before it was done. */
  giveBack(): void;
}

/** A seat for a process in a container: what the server knows of it. Its states: `states.ts`. */
export class Worker {
  readonly container: Container;
  readonly index: number;
  readonly held = new Set<WorkerInput>();
  /** Given back, while their handlers may still run. */
  readonly #givenBack = new Set<WorkerInput>();
  peer: WorkerPeer | null = null;
  pid: number | null = null;
  /** Inputs given so far to this process, for `maxInputsPerWorker`. */
  taken = 0;
  /** Starts in a row that did not last. */
  failures = 0;
  helloAtMs = 0;
  loadedAtMs = 0;
  wasReady = false;
  saidGoodbye = false;
  /** Why it was lost, where we know better than its exit. */
  lostReason: string | null = null;
  cancelTimer: () => void = () => {};
  #state: WorkerState = "starting";
  #pings: (() => void)[] = [];

  constructor(container: Container, index: number) {
    this.container = container;
    this.index = index;
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** Holds nothing that anyone waits for. */
  get isDone(): boolean {
    for (const held of this.held) if (!held.stuck) return false;
    return true;
  }

  move(event: WorkerEvent): boolean {
    const next = nextWorkerState(this.#state, event);
    if (!next) return false;
    this.#state = next;
    if (event === "ready") this.wasReady = true;
    return true;
  }

  /** Takes no more inputs. False where it was not ready, or does so already: it is told all the same. */
  retire(reason: StopReason): boolean {
    const moved = this.move("retire");
    this.peer?.drain(reason);
    return moved;
  }

  /** Runs its stop hooks and ends. False where it does so already. */
  stop(reason: StopReason, graceMs: number): boolean {
    if (!this.move("stop")) return false;
    this.peer?.stop(reason, graceMs);
    return true;
  }

  /** What it holds is to be done elsewhere. */
  giveBackAll(): void {
    for (const held of this.held) {
      this.#givenBack.add(held);
      held.giveBack();
    }
    this.held.clear();
  }

  /** Its process is over, and what it held with it. False where that was known. */
  lose(reason: string): boolean {
    if (!this.move("gone")) return false;
    this.peer?.destroy();
    this.peer = null;
    this.pid = null;
    for (const held of [...this.held, ...this.#givenBack]) held.lost(reason);
    this.held.clear();
    this.#givenBack.clear();
    return true;
  }

  /** A new process takes the seat. */
  reset(): void {
    this.taken = 0;
    this.wasReady = false;
    this.saidGoodbye = false;
    this.lostReason = null;
    this.helloAtMs = 0;
    // What the process before it did not answer, this one was never asked.
    this.#pings = [];
  }

  /** It was asked whether its event loop turns, and has not said so yet. */
  get isSilent(): boolean {
    return this.#pings.length > 0;
  }

  /** Calls back when the worker's event loop turns again; never, if it is blocked for good. */
  ping(answered: () => void): void {
    this.#pings.push(answered);
    this.peer?.ping();
  }

  answerPing(): void {
    this.#pings.shift()?.();
  }
}
