import type { LogLine } from "@samovar/protocol";

/** Room that a line takes beside its text, roughly. */
const LINE_BYTES = 200;

/**
 * The newest lines of several containers, in order of time; those of one container stay in the order in which they
 * were written. Never more than `lines` of them, nor much more than `bytes`.
 */
export class NewestLines {
  readonly #lines: number;
  readonly #bytes: number;
  #kept: readonly LogLine[] = [];
  #isFull = false;

  constructor(limits: { readonly lines: number; readonly bytes: number }) {
    this.#lines = limits.lines;
    this.#bytes = limits.bytes;
  }

  get lines(): readonly LogLine[] {
    return this.#kept;
  }

  /** A line that is older has no room any more. */
  get sinceMs(): number {
    return this.#isFull ? (this.#kept[0]?.atMs ?? Infinity) : -Infinity;
  }

  /** Of another container, oldest first; of one moment they come before those that are here. */
  add(lines: readonly LogLine[]): void {
    const merged = mergeByTime(this.#kept, lines);
    const from = this.firstWithRoom(merged);
    if (from > 0 || merged.length >= this.#lines) this.#isFull = true;
    this.#kept = from === 0 ? merged : merged.slice(from);
  }

  /** Where, of lines oldest first, the newest ones begin that there is room for. */
  firstWithRoom(lines: readonly LogLine[]): number {
    let bytes = 0;
    let from = lines.length;
    while (from > 0 && lines.length - from < this.#lines && bytes <= this.#bytes) bytes += lines[--from]!.text.length + LINE_BYTES;
    return from;
  }
}

function mergeByTime(left: readonly LogLine[], right: readonly LogLine[]): readonly LogLine[] {
  if (left.length === 0) return right;
  const merged: LogLine[] = [];
  let next = 0;
  for (const line of right) {
    while (next < left.length && left[next]!.atMs < line.atMs) merged.push(left[next++]!);
    merged.push(line);
  }
  while (next < left.length) merged.push(left[next++]!);
  return merged;
}
