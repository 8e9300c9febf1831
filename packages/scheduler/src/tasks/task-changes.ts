import type { AnswerHead, TaskChange } from "@samovar/protocol";
import type { StartedInfo } from "../input.ts";
import type { TaskWatch } from "../task-control.ts";

/** A change as the server sees it: with what it came with, so that whoever waits needs not ask the store. */
export interface TaskEvent extends TaskChange {
  /** At RUNNING, and at what an attempt came to. */
  readonly started?: StartedInfo;
  /** At COMPLETE. */
  readonly answer?: { readonly head: AnswerHead; readonly body: Buffer };
}

type Listener = (event: TaskEvent) => void;

/** Who is told of which task's changes. Pushed: a listener is called in the turn in which the change is on disk. */
export class TaskChanges {
  readonly #byId = new Map<string, Set<Listener>>();
  readonly #others = new Map<Listener, TaskWatch>();

  watch(which: TaskWatch, listener: Listener): () => void {
    const { id } = which;
    if (id === undefined) {
      // A key of its own: one listener may watch twice.
      const own: Listener = (event) => listener(event);
      this.#others.set(own, which);
      return () => void this.#others.delete(own);
    }
    const own: Listener = (event) => {
      if (matches(which, event)) listener(event);
    };
    const listeners = this.#byId.get(id) ?? new Set();
    this.#byId.set(id, listeners.add(own));
    return () => {
      listeners.delete(own);
      if (listeners.size === 0 && this.#byId.get(id) === listeners) this.#byId.delete(id);
    };
  }

  /** Whether anybody would hear of it: who has no listeners needs no event. */
  isWatched(id: string): boolean {
    return this.#others.size > 0 || this.#byId.has(id);
  }

  tell(event: TaskEvent): void {
    for (const listener of this.#byId.get(event.id) ?? []) listener(event);
    for (const [listener, which] of this.#others) if (matches(which, event)) listener(event);
  }

  get size(): number {
    return this.#byId.size + this.#others.size;
  }
}

function matches(which: TaskWatch, event: TaskEvent): boolean {
  if (which.function !== undefined && which.function.toLowerCase() !== event.function.toLowerCase()) return false;
  return which.app === undefined || which.app === event.app;
}
