import { decodeValue, encodeValue, type ContainerInfo } from "@samovar/protocol";
import type { Clock, Logger } from "@samovar/kit";
import type { ContainerRow, StoredContainer, StoredLivingContainer } from "./operations.ts";
import type { LivingContainer, ReturnFacts } from "./storage.ts";
import type { StorageThread } from "./storage-thread.ts";

interface Unsaved {
  readonly container: ContainerInfo;
  /** Undefined: those on disk stay. */
  readonly facts: ReturnFacts | null | undefined;
  /** The batch that carries it to disk now; 0 while it waits. */
  sentIn: number;
}

/**
 * What was recorded and is not on disk yet, the newest state of each container. A record waits for the end of the
 * turn, so that the states a container runs through at once are one write; while a batch is under way the next one
 * gathers. A batch that fails waits for the next record or question to be tried again.
 */
export class ContainerRecords {
  readonly #thread: StorageThread;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #unsaved = new Map<string, Unsaved>();
  #lastBatch = 0;
  #underWay = 0;
  #scheduled = false;
  #failure: Error | undefined;

  constructor(thread: StorageThread, clock: Clock, logger: Logger) {
    this.#thread = thread;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Why the last batch is not on disk; undefined when it is. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  add(container: ContainerInfo, facts?: ReturnFacts | null): void {
    // Also of one that is on its way: it may not arrive.
    const known = facts === undefined ? this.#unsaved.get(container.id)?.facts : facts;
    this.#unsaved.set(container.id, { container, facts: known, sentIn: 0 });
    this.#schedule();
  }

  /** Sends what waits, so that whatever is asked next sees it. */
  send(): void {
    const rows: ContainerRow[] = [];
    const batch = ++this.#lastBatch;
    for (const [id, unsaved] of this.#unsaved) {
      if (unsaved.sentIn !== 0) continue;
      unsaved.sentIn = batch;
      try {
        rows.push(toRow(unsaved));
      } catch (error) {
        this.#unsaved.delete(id);
        this.#logger.error({ err: error, containerId: id }, "A container's record can't be written, its history is lost");
      }
    }
    if (rows.length === 0) return;
    this.#underWay += 1;
    this.#thread.call<"containers.record">({ kind: "containers.record", rows, nowMs: this.#clock.now() }).then(
      () => this.#settle(batch, undefined),
      (error: Error) => this.#settle(batch, error),
    );
  }

  #settle(batch: number, failure: Error | undefined): void {
    this.#underWay -= 1;
    if (failure && !this.#failure) this.#logger.error({ err: failure }, "The history of containers could not be written, it is kept in memory and tried again");
    if (!failure && this.#failure) this.#logger.info({}, "The history of containers is written again");
    this.#failure = failure;
    let newer = false;
    for (const [id, unsaved] of this.#unsaved) {
      if (unsaved.sentIn === 0) newer = true;
      else if (unsaved.sentIn !== batch) continue;
      else if (failure) unsaved.sentIn = 0;
      else this.#unsaved.delete(id);
    }
    if (newer && !failure) this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#underWay > 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.send();
    });
  }
}

function toRow({ container, facts }: Unsaved): ContainerRow {
  const { parameters, ...info } = container;
  return {
    id: container.id,
    functionId: container.functionId,
    startedAtMs: container.startedAtMs,
    endedAtMs: container.endedAtMs,
    info: JSON.stringify(info),
    parameters: encodeValue(parameters),
    ...(facts !== undefined && { facts: facts && JSON.stringify(facts) }),
  };
}

export function toContainerInfo(stored: StoredContainer): ContainerInfo {
  return { ...(JSON.parse(stored.info) as Omit<ContainerInfo, "parameters">), parameters: decodeValue(stored.parameters) as readonly unknown[] };
}

export function toLivingContainer(stored: StoredLivingContainer): LivingContainer {
  return { info: toContainerInfo(stored), facts: stored.facts === null ? null : (JSON.parse(stored.facts) as ReturnFacts) };
}
