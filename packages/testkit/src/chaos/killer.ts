import { setTimeout as pause } from "node:timers/promises";
import type { ContainerInfo } from "@samovar/protocol";
import { findProcesses } from "../leak-check.ts";
import { describeAction, type Action } from "./actions.ts";
import type { Moment, Moments } from "./moments.ts";
import { signalAll, treeOf } from "./process-tree.ts";
import type { ServerApi } from "./server-api.ts";
import type { ServerUnderChaos } from "./server-under-chaos.ts";

export interface KillerOptions {
  /** Its processes are those that run in it, or whose environment names it. */
  readonly home: string;
  readonly server: ServerUnderChaos;
  readonly api: ServerApi;
  readonly moments: Moments;
  /** Deploys the next version; resolves when that is done or has failed. */
  readonly deploy: () => Promise<void>;
  readonly tell: (line: string) => void;
}

/** How long a moment is waited for: with nothing to do none comes. */
const MOMENT_MS = 1_000;

/** Does to a server and its containers what power cuts, operators and other processes do. After each action the server is up. */
export class Killer {
  readonly killedContainers: { readonly id: string; readonly atMs: number }[] = [];
  readonly #options: KillerOptions;
  #deploying: Promise<void> | undefined;

  constructor(options: KillerOptions) {
    this.#options = options;
  }

  async act(action: Action): Promise<void> {
    const { server, tell } = this.#options;
    tell(describeAction(action));
    switch (action.kind) {
      case "kill-server":
        await this.#at(action.at, () => void server.kill());
        await server.kill();
        await this.#upAgain(action.pauseMs, action.againAfterMs);
        break;
      case "kill-everything":
        await this.#killEverything(action.at);
        await this.#upAgain(action.pauseMs, null);
        break;
      case "kill-container":
        this.#killContainers(pickOne(await this.#containers(), action.pick));
        break;
      case "kill-containers":
        this.#killContainers(await this.#containers());
        break;
      case "restart":
        await server.stop();
        await server.start();
        break;
      case "deploy":
        this.#deploying ??= this.#options.deploy().finally(() => (this.#deploying = undefined));
        if (action.waits) await this.#deploying;
        break;
      case "freeze-server":
        server.signal("SIGSTOP");
        await pause(action.forMs);
        server.signal("SIGCONT");
        break;
      case "freeze-container":
        await this.#freezeContainer(action.pick, action.forMs);
        break;
      default:
        action satisfies never;
    }
  }

  /** Resolves when nothing that it began goes on. */
  async finish(): Promise<void> {
    await this.#deploying;
  }

  async #upAgain(pauseMs: number, againAfterMs: number | null): Promise<void> {
    const { server } = this.#options;
    await pause(pauseMs);
    const starting = server.start();
    if (againAfterMs !== null) {
      await Promise.race([starting, pause(againAfterMs)]);
      await server.kill();
    }
    await starting;
    if (!server.isUp) await server.start();
  }

  async #killEverything(at: Moment | null): Promise<void> {
    const { server, home } = this.#options;
    const containers = await this.#containers();
    const processes = (await findProcesses(home)).map(({ pid }) => pid).filter((pid) => pid !== server.pid);
    await this.#at(at, () => {
      void server.kill();
      this.#killContainers(containers);
      signalAll(processes, "SIGKILL");
    });
    await server.kill();
  }

  /** In the very turn in which the moment is seen. */
  async #at(moment: Moment | null, run: () => void): Promise<void> {
    if (moment === null) run();
    else await this.#options.moments.at(moment, MOMENT_MS, run);
  }

  #killContainers(containers: readonly Pick<ContainerInfo, "id" | "pid">[]): void {
    for (const { id, pid } of containers) {
      this.killedContainers.push({ id, atMs: Date.now() });
      signalAll(treeOf(pid!), "SIGKILL");
    }
  }

  async #freezeContainer(pick: number, forMs: number): Promise<void> {
    const trees = pickOne(await this.#containers(), pick).map(({ pid }) => treeOf(pid!));
    for (const tree of trees) signalAll(tree, "SIGSTOP");
    await pause(forMs);
    for (const tree of trees) signalAll(tree, "SIGCONT");
  }

  /** Those that have a process now. */
  async #containers(): Promise<readonly Pick<ContainerInfo, "id" | "pid">[]> {
    const answer = await this.#options.api.once("/api/v1/containers");
    const containers = (answer?.json?.containers ?? []) as readonly ContainerInfo[];
    return containers.filter(({ pid }) => pid !== null);
  }
}

function pickOne<T>(list: readonly T[], pick: number): readonly T[] {
  return list.length === 0 ? [] : [list[Math.floor(pick * list.length)]!];
}
