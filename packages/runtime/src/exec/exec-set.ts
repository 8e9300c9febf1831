import { SamovarError } from "@samovar/protocol";
import type { OwnedExec } from "./exec-launch.ts";

/**
 * The programs that run in one container beside its own.
 *
 * States: open → closed (`end`: those that run are killed, those on their way are too, and no other starts).
 */
export class ExecSet {
  readonly #running = new Set<OwnedExec>();
  readonly #starting = new Set<Promise<unknown>>();
  #closed = false;

  /** Rejects with `not_found` once the container ends. */
  async start(launch: () => Promise<OwnedExec>): Promise<OwnedExec> {
    this.#assertOpen();
    const starting = launch();
    this.#starting.add(starting);
    try {
      const exec = await starting;
      this.#running.add(exec);
      void exec.ended.then(() => this.#running.delete(exec));
      if (this.#closed) {
        exec.kill("SIGKILL");
        this.#assertOpen();
      }
      return exec;
    } finally {
      this.#starting.delete(starting);
    }
  }

  /** Processes that stand before programs, see `OwnedExec.launcherPid`. */
  get launcherPids(): readonly number[] {
    return [...this.#running].flatMap(({ launcherPid }) => launcherPid ?? []);
  }

  /** Kills all. Resolves when none runs; what they wrote last may still be read. */
  async end(): Promise<void> {
    this.#closed = true;
    for (const exec of this.#running) exec.kill("SIGKILL");
    await Promise.allSettled(this.#starting);
    await Promise.all([...this.#running].map((exec) => exec.ended));
  }

  #assertOpen(): void {
    if (this.#closed) throw new SamovarError("not_found", "The container has ended: no program can be run in it");
  }
}
