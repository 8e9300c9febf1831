import type { ContainerHost, ContainerPlan, LeftContainer } from "./container-types.ts";
import type { ProcessTree } from "./process-tree.ts";
import type { Worker } from "./worker.ts";

/** A runner looks for its server for as long, and then ends by itself. */
const WINDOW_MS = 10_000;

/** The container that comes back. */
export interface Returning {
  readonly workers: readonly Worker[];
  /** It is ours now. */
  taken(): void;
  workerLost(worker: Worker): void;
  givenUp(reason: string): void;
}

/**
 * How a container comes back that an earlier server started.
 *
 * States: awaited → claimed, when its first worker is back and the driver is asked for its processes → over, by `end`: it
 * is ready, or has ended. One time runs for all of its workers. One that is to drain or stop is awaited all the same: it does when it comes.
 */
export class ContainerReturn {
  readonly #host: ContainerHost;
  readonly #plan: ContainerPlan;
  readonly #tree: ProcessTree;
  readonly #container: Returning;
  /** When its first start was over. */
  readonly readyAtMs: number;
  #isAwaited = true;
  #isOver = false;
  #cancelTimer: () => void;

  constructor(host: ContainerHost, plan: ContainerPlan, tree: ProcessTree, { info }: LeftContainer, container: Returning) {
    this.#host = host;
    this.#plan = plan;
    this.#tree = tree;
    this.#container = container;
    this.readyAtMs = info.startedAtMs + (info.phases.find(({ phase }) => phase === "ready")?.durationMs ?? 0);
    this.#cancelTimer = host.clock.after(WINDOW_MS, () => {
      this.#isAwaited = false;
      if (!container.workers[0]!.peer) return container.givenUp(`It did not come back within ${WINDOW_MS / 1_000} s after its server was gone`);
      for (const worker of container.workers) if (!worker.peer) container.workerLost(worker);
    });
  }

  /** None of its workers has come, and one still may. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  workerIsBack(): void {
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    this.#tree.takeBack().then(
      () => this.#container.taken(),
      (error: unknown) => this.#container.givenUp(`It can't be taken back: ${error instanceof Error ? error.message : String(error)}`),
    );
  }

  /** Tasks that ran in it and were not claimed by its workers are done again. Idempotent. */
  settleInputs(): void {
    this.#host.leftInputs?.settle(this.#plan.containerId);
  }

  /** Idempotent. */
  end(): void {
    this.#isAwaited = false;
    this.#isOver = true;
    this.#cancelTimer();
    this.settleInputs();
  }
}
