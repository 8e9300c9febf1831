import { disposeAll } from "@samovar/kit";
import { SamovarError } from "@samovar/protocol";
import type { ContainerSpec } from "./driver.ts";

const SAFE_ID = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/**
 * Which containers a driver has and which are on their way.
 *
 * States: open → closed. `begin` is refused when closed; a start that is under way asks `assertOpen` before it is done
 * and then ends what it made.
 */
export class ContainerLedger<C extends { kill(): Promise<void> }> {
  readonly #containers = new Set<C>();
  readonly #starting = new Set<Promise<unknown>>();
  /** Of all that are starting or not yet gone. */
  readonly #ids = new Set<string>();
  #closed = false;

  /** Runs a start. While it runs, and until `remove`, no other container has its id. */
  async begin<T>({ containerId }: Pick<ContainerSpec, "containerId">, start: () => Promise<T>): Promise<T> {
    this.assertOpen();
    if (!SAFE_ID.test(containerId)) throw new SamovarError("internal", `A container's id must do as a file name, but is ${JSON.stringify(containerId)}`);
    if (this.#ids.has(containerId)) throw new SamovarError("internal", `A container with the id ${containerId} is there already`);
    this.#ids.add(containerId);
    const starting = start();
    this.#starting.add(starting);
    try {
      return await starting;
    } catch (error) {
      this.#ids.delete(containerId);
      throw error;
    } finally {
      this.#starting.delete(starting);
    }
  }

  add(container: C): void {
    this.#containers.add(container);
  }

  remove(container: C, containerId: string): void {
    this.#containers.delete(container);
    this.#ids.delete(containerId);
  }

  /** Starts first, so that none appears behind the back of the kills. */
  async close(): Promise<void> {
    this.#closed = true;
    await disposeAll([() => Promise.allSettled(this.#starting), () => Promise.all([...this.#containers].map((container) => container.kill()))]);
  }

  assertOpen(): void {
    if (this.#closed) throw new SamovarError("shutting_down", "No container is started any more: the driver was disposed");
  }
}
