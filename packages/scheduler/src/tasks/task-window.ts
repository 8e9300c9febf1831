import type { QueuePosition, WaitingTask } from "@samovar/storage";

/** Of tasks in memory: beyond it, those furthest from their turn are left to the store. */
export interface WindowLimits {
  readonly tasks: number;
  /** Of their inputs. */
  readonly bytes: number;
}

const LIMITS: WindowLimits = { tasks: 4_096, bytes: 64 * 1024 * 1024 };
const BEGINNING: QueuePosition = { rank: Number.MIN_SAFE_INTEGER, id: "" };

/**
 * The ready tasks of one queue that are in memory, in their order. All ready ones up to `knownTo` are here (or are
 * running); of those after it the store knows more. Null: there are none after it.
 *
 * It begins knowing nothing (or, of a new queue, everything), grows by what is read (`fill`) and by what arrives within what is known (`add`), shrinks by
 * what is taken, and knows less (`knowOnlyTo`) where something may have become ready in the store behind its back.
 */
export class TaskWindow {
  readonly #limits: WindowLimits;
  readonly #byId = new Map<string, WaitingTask>();
  /** Empty before `#head`: what was taken is not kept here. */
  #tasks: (WaitingTask | undefined)[] = [];
  #head = 0;
  #bytes = 0;
  #knownTo: QueuePosition | null;
  /** So many tasks are half of what there was room for, when it was last full. */
  #enough = Infinity;

  /** `isNew`: of a queue that has nothing in the store. */
  constructor({ isNew, limits = LIMITS }: { readonly isNew: boolean; readonly limits?: WindowLimits }) {
    this.#limits = limits;
    this.#knownTo = isNew ? null : BEGINNING;
  }

  get size(): number {
    return this.#tasks.length - this.#head;
  }

  get first(): WaitingTask | undefined {
    return this.#tasks[this.#head];
  }

  /** Whether others are to be read, where fewer than `low` are enough: of one that was full, when half of what it held is gone. */
  isLow(low: number): boolean {
    return this.size < Math.min(low, this.#enough);
  }

  /** Where the next read goes on; null: there is nothing to read. */
  get knownTo(): QueuePosition | null {
    return this.#knownTo;
  }

  /** Whether what stands there belongs here, and not to a later read. */
  knows(position: QueuePosition): boolean {
    return this.#knownTo === null || comparePositions(position, this.#knownTo) <= 0;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /** Takes in what belongs here: what is beyond what is known, a later read finds. False: it didn't. */
  add(task: WaitingTask): boolean {
    if (!this.knows(task) || this.#byId.has(task.id)) return false;
    this.#byId.set(task.id, task);
    this.#bytes += task.input.length;
    const last = this.#tasks.at(-1);
    if (!last || comparePositions(last, task) < 0) this.#tasks.push(task);
    else this.#tasks.splice(this.#findPlace(task), 0, task);
    if (this.size > this.#limits.tasks || this.#bytes > this.#limits.bytes) this.#trim();
    return true;
  }

  /** What a read gave: all that follows `knownTo`, in order, as far as it goes; nothing where there is no more. */
  fill(tasks: readonly WaitingTask[], isElsewhere: (id: string) => boolean): void {
    if (tasks.length === 0) this.#knownTo = null;
    this.#enough = Infinity;
    for (const task of tasks) {
      this.#knownTo = task;
      if (!isElsewhere(task.id)) this.add(task);
      // Full: the rest is for a later read.
      if (this.#knownTo !== task) return;
    }
  }

  /** Something may have become ready after this position (null: anywhere). */
  knowOnlyTo(position: QueuePosition | null): void {
    const to = position ?? BEGINNING;
    if (this.knows(to)) this.#knownTo = to;
  }

  take(): WaitingTask | undefined {
    const task = this.#tasks[this.#head];
    if (!task) return undefined;
    this.#tasks[this.#head++] = undefined;
    if (this.#head === this.#tasks.length || this.#head >= this.#limits.tasks) {
      this.#tasks = this.#tasks.slice(this.#head);
      this.#head = 0;
    }
    this.#forget(task);
    return task;
  }

  get(id: string): WaitingTask | undefined {
    return this.#byId.get(id);
  }

  remove(id: string): boolean {
    const task = this.#byId.get(id);
    if (!task) return false;
    this.#tasks.splice(this.#findPlace(task), 1);
    this.#forget(task);
    return true;
  }

  #forget(task: WaitingTask): void {
    this.#byId.delete(task.id);
    this.#bytes -= task.input.length;
  }

  /** Half of it goes back to the store's keeping; at least one stays, however large it is. */
  #trim(): void {
    while (this.size > 1 && (this.size > this.#limits.tasks / 2 || this.#bytes > this.#limits.bytes / 2)) this.#forget(this.#tasks.pop()!);
    this.#knownTo = this.#tasks.at(-1)!;
    this.#enough = Math.max(1, this.size >> 1);
  }

  /** Index of the first one that doesn't stand before this position. */
  #findPlace(position: QueuePosition): number {
    let low = this.#head;
    let high = this.#tasks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (comparePositions(this.#tasks[middle]!, position) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export function comparePositions(a: QueuePosition, b: QueuePosition): number {
  if (a.rank !== b.rank) return a.rank - b.rank;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
