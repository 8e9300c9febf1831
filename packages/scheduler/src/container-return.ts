import { SERVER_AWAY_MS } from "@samovar/protocol";
import type { ContainerHost, ContainerPlan, LeftContainer } from "./container-types.ts";
import type { ProcessTree } from "./process-tree.ts";
import type { Worker } from "./worker.ts";

/** By then it has ended, with a drain and its stop hooks, or it is stuck. */
const LONGEST_MS = 120_000;

/** The container that comes back. */
export interface Returning {
  readonly workers: readonly Worker[];
  /** It is ours now. */
  taken(): void;
  workerLost(worker: Worker): void;
  /** Its time is over, and it lives: it ends, or has been too busy to notice. It is no capacity any more, and keeps what it has. */
  overdue(): void;
  givenUp(reason: string): void;
}

/**
 * How a container comes back that an earlier server started.
 *
 * States: awaited → overdue → over; from both of the first, when a worker is back, → returning → over, by `end`: it is
 * ready, or has ended. The driver is asked for its processes by the first worker, or when it is overdue. One that is to
 * drain or stop is awaited all the same: it does when it comes.
 */
export class ContainerReturn {
  readonly #host: ContainerHost;
  readonly #plan: ContainerPlan;
  readonly #tree: ProcessTree;
  readonly #container: Returning;
  /** When its first start was over. */
  readonly readyAtMs: number;
  #isAwaited = true;
  #claimed: Promise<void> | null = null;
  #isBack = false;
  #isOver = false;
  #cancelTimer: () => void;

  constructor(host: ContainerHost, plan: ContainerPlan, tree: ProcessTree, { info }: LeftContainer, container: Returning) {
    this.#host = host;
    this.#plan = plan;
    this.#tree = tree;
    this.#container = container;
    this.readyAtMs = info.startedAtMs + (info.phases.find(({ phase }) => phase === "ready")?.durationMs ?? 0);
    this.#cancelTimer = host.clock.after(SERVER_AWAY_MS, () => this.#windowOver());
  }

  #windowOver(): void {
    const [main, ...siblings] = this.#container.workers;
    if (main!.peer) {
      for (const worker of siblings) if (!worker.peer) this.#container.workerLost(worker);
      return;
    }
    this.#isAwaited = false;
    const giveUp = (): void => {
      this.#container.givenUp(`It did not come back within ${SERVER_AWAY_MS / 1_000} s after its server was gone`);
    };
    this.#claim().then(() => {
      if (this.#isOver || this.#isBack) return;
      this.#cancelTimer = this.#host.clock.after(LONGEST_MS - SERVER_AWAY_MS, giveUp);
      this.#container.overdue();
    }, giveUp);
  }

  #claim(): Promise<void> {
    return (this.#claimed ??= this.#tree.takeBack());
  }

  /** None of its workers has come, and it is time for them. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  workerIsBack(): void {
    this.#isAwaited = false;
    if (this.#isBack) return;
    this.#isBack = true;
    this.#claim().then(
      () => this.#container.taken(),
      (error: unknown) => this.#container.givenUp(`It can't be taken back: ${error instanceof Error ? error.message : String(error)}`),
    );
  }

  /** Resolves when the driver has it, so that it can be killed, or never will. */
  async claim(): Promise<void> {
    await this.#claim().catch(() => {});
  }

  /** Before the driver has it, what an input may need (a name server) is not there. */
  whenTaken(run: () => void): void {
    this.#claimed?.then(run, () => {});
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
