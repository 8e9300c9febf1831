import type { ContainerHost, ContainerPlan, LeftContainer } from "./container-types.ts";
import type { ProcessTree } from "./process-tree.ts";

/** A runner looks for its server for as long, and then ends by itself. */
const WINDOW_MS = 10_000;

export interface ReturnEvents {
  /** It is ours now. */
  taken(): void;
  givenUp(reason: string): void;
}

/**
 * How a container comes back that an earlier server started.
 *
 * States: awaited → claimed, when its first worker is back and the driver is asked for its processes → over, by `end`: it
 * is ready, or has ended. A time limit runs for both. One that is to stop is awaited all the same: it stops when it comes.
 */
export class ContainerReturn {
  readonly #host: ContainerHost;
  readonly #plan: ContainerPlan;
  readonly #tree: ProcessTree;
  readonly #events: ReturnEvents;
  /** When its first start was over. */
  readonly readyAtMs: number;
  #isAwaited = true;
  #cancelTimer: () => void;

  constructor(host: ContainerHost, plan: ContainerPlan, tree: ProcessTree, { info }: LeftContainer, events: ReturnEvents) {
    this.#host = host;
    this.#plan = plan;
    this.#tree = tree;
    this.#events = events;
    this.readyAtMs = info.startedAtMs + (info.phases.find(({ phase }) => phase === "ready")?.durationMs ?? 0);
    this.#cancelTimer = host.clock.after(WINDOW_MS, () => {
      this.#isAwaited = false;
      events.givenUp(`It did not come back within ${WINDOW_MS / 1_000} s after its server was gone`);
    });
  }

  /** None of its workers has come, and one still may. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  workerIsBack(): void {
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    this.#cancelTimer();
    this.#cancelTimer = this.#host.clock.after(this.#plan.startupTimeoutMs, () => this.#events.givenUp("Not all of its workers came back"));
    this.#tree.takeBack().then(
      () => this.#events.taken(),
      (error: unknown) => this.#events.givenUp(`It can't be taken back: ${error instanceof Error ? error.message : String(error)}`),
    );
  }

  /** Tasks that ran in it and were not claimed by its workers are done again. Idempotent. */
  settleInputs(): void {
    this.#host.leftInputs?.settle(this.#plan.containerId);
  }

  /** Idempotent. */
  end(): void {
    this.#isAwaited = false;
    this.#cancelTimer();
    this.settleInputs();
  }
}
