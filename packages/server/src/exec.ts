import { SamovarError } from "@samovar/protocol";
import type { ExecCommand, ExecProcess } from "@samovar/runtime";
import type { Container } from "@samovar/scheduler";

/** In one container at once: each has a process, three streams and, with a terminal, a process beside the container. */
const MAX_PER_CONTAINER = 20;

export interface ExecsOptions {
  /** Containers that live, by id. */
  readonly living: ReadonlyMap<string, Pick<Container, "exec">>;
  readonly maxPerContainer?: number;
}

/**
 * The programs that operators run in containers. They end with their container: the driver sees to it.
 *
 * States: open → disposed (none is started any more, and those that run are killed).
 */
export class Execs {
  readonly #living: ExecsOptions["living"];
  readonly #maxPerContainer: number;
  readonly #running = new Set<ExecProcess>();
  /** With those that are starting. */
  readonly #counts = new Map<string, number>();
  #disposed = false;

  constructor({ living, maxPerContainer = MAX_PER_CONTAINER }: ExecsOptions) {
    this.#living = living;
    this.#maxPerContainer = maxPerContainer;
  }

  /** Rejects with `not_found` when no such container lives, with `no_capacity` when too many programs run in it. */
  async start(containerId: string, command: ExecCommand): Promise<ExecProcess> {
    this.#assertOpen();
    const container = this.#living.get(containerId);
    if (!container)
      throw new SamovarError("not_found", `No container with the id ${JSON.stringify(containerId)} lives: \`samovar container list\` shows those that do`);
    const count = this.#counts.get(containerId) ?? 0;
    if (count >= this.#maxPerContainer)
      throw new SamovarError("no_capacity", `${count} programs run in the container ${containerId} already, and that is as many as may: end one of them`);
    this.#counts.set(containerId, count + 1);
    let exec: ExecProcess;
    try {
      exec = await container.exec(command);
    } catch (error) {
      this.#release(containerId);
      throw error;
    }
    this.#running.add(exec);
    void exec.exited.then(() => {
      this.#running.delete(exec);
      this.#release(containerId);
    });
    if (this.#disposed) {
      end(exec);
      this.#assertOpen();
    }
    return exec;
  }

  /** Resolves when none runs. Idempotent. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    for (const exec of this.#running) end(exec);
    await Promise.all([...this.#running].map(({ exited }) => exited));
  }

  #release(containerId: string): void {
    const count = this.#counts.get(containerId)! - 1;
    if (count > 0) this.#counts.set(containerId, count);
    else this.#counts.delete(containerId);
  }

  #assertOpen(): void {
    if (this.#disposed) throw new SamovarError("shutting_down", "The server is shutting down: no program is started in a container any more");
  }
}

/** Its last output is not waited for: whoever read it is gone. */
function end(exec: ExecProcess): void {
  exec.kill("SIGKILL");
  exec.stdin.destroy();
  exec.stdout.destroy();
  exec.stderr?.destroy();
}
