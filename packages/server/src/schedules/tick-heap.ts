export interface TickHeapItem<T> {
  readonly atMs: number;
  readonly value: T;
}

/** What comes next of very many: a binary heap by time. Nothing is taken out but the first; who changes their mind adds another. */
export class TickHeap<T> {
  readonly #items: TickHeapItem<T>[] = [];

  get size(): number {
    return this.#items.length;
  }

  get first(): TickHeapItem<T> | undefined {
    return this.#items[0];
  }

  add(item: TickHeapItem<T>): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (items[parent]!.atMs <= item.atMs) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  takeFirst(): TickHeapItem<T> | undefined {
    const items = this.#items;
    const [first] = items;
    const last = items.pop();
    if (!last || items.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1]!.atMs < items[child]!.atMs) child++;
      if (items[child]!.atMs >= last.atMs) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
    return first;
  }

  clear(): void {
    this.#items.length = 0;
  }
}
