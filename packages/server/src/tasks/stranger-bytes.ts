import { SamovarError } from "@samovar/protocol";
import type { NewTask } from "@samovar/storage";

/** What callers without a token put is kept for so long after its end, and no longer; so are its idempotency keys after they came. */
export const STRANGER_KEPT_MS = 3_600_000;
/** Of one function, within that time: inputs, with what their requests say of them. */
export const STRANGER_BYTES = 1024 * 1024 * 1024;

/** Of a record, beside its input. */
const RECORD_BYTES = 1_024;
const MINUTE_MS = 60_000;

/** A function, whichever its version, which may spell its name otherwise: all have one `queue`. */
interface StrangersFunction {
  readonly name: string;
  readonly queue: string;
}

interface Minute {
  readonly atMs: number;
  bytes: number;
}

/**
 * What callers without a token have put at each function within the time for which it is kept, by the minute, so that
 * nobody fills a disk whom nobody knows. In memory: a server that starts counts from nothing.
 */
export class StrangerBytes {
  /** By queue. */
  readonly #byFunction = new Map<string, Minute[]>();

  /** Throws `too_many_pending`, and counts nothing, where it would be too much. Returns what takes some of it back, of what was not kept. */
  take({ name, queue }: StrangersFunction, bytes: number, nowMs: number): (bytes: number) => void {
    const minutes = (this.#byFunction.get(queue) ?? []).filter(({ atMs }) => atMs > nowMs - STRANGER_KEPT_MS - MINUTE_MS);
    const used = minutes.reduce((sum, minute) => sum + minute.bytes, 0);
    if (used + bytes > STRANGER_BYTES)
      throw new SamovarError(
        "too_many_pending",
        `Callers without a token have put ${Math.floor(used / 1_048_576)} MiB at ${name} within an hour, and may put ${STRANGER_BYTES / 1_048_576}; try again later`,
      );
    let last = minutes.at(-1);
    if (!last || last.atMs + MINUTE_MS <= nowMs) minutes.push((last = { atMs: nowMs, bytes: 0 }));
    last.bytes += bytes;
    this.#byFunction.set(queue, minutes);
    const counted = last;
    return (unkept) => void (counted.bytes -= unkept);
  }
}

export const bytesOf = ({ input, reply }: NewTask): number => input.length + reply.length + RECORD_BYTES;

/** As one is kept that nobody answers for. */
export const asStrangers = (task: NewTask): NewTask => ({
  ...task,
  keepMs: Math.min(task.keepMs, STRANGER_KEPT_MS),
  idempotencyMs: Math.min(task.idempotencyMs, STRANGER_KEPT_MS),
});
