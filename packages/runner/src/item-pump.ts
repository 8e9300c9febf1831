import { ITEM_CONTENT_TYPES, encodeItem, encodeItemEnd, encodeItemError, toSerializedError, type ItemForm } from "@samovar/protocol";
import type { ReplyStream } from "./reply-stream.ts";
import { isThenable } from "./thenable.ts";

export type AnyIterator = (Iterator<unknown> | AsyncIterator<unknown>) & object;

/** A generator, or what behaves like one. Arrays, Maps and the like are results, not streams. */
export function isItemIterator(value: unknown): value is AnyIterator {
  if (typeof value !== "object" || value === null || typeof (value as { next?: unknown }).next !== "function") return false;
  return Symbol.asyncIterator in value || Symbol.iterator in value;
}

export interface PumpOptions {
  readonly form: ItemForm;
  readonly check: (item: unknown) => unknown;
  /** A stream has begun and then broke: what was thrown, for the log. */
  readonly onBroken: (error: unknown) => void;
}

/**
 * Sends a generator's items, advancing it only when there is room for more. The answer's head waits for the first
 * item, so that what is thrown before it still has a status of its own (it rejects this promise). A reader that left
 * ends the generator through `return()`, so that its `finally` runs, also where it stands at a yield.
 */
export async function pumpItems(reply: ReplyStream, iterator: AnyIterator, options: PumpOptions): Promise<void> {
  let begun = false;
  const begin = (): void => {
    if (begun) return;
    begun = true;
    reply.head({
      status: 200,
      headers: [["content-type", ITEM_CONTENT_TYPES[options.form]], ...(options.form === "sse" ? ([["cache-control", "no-cache"]] as const) : [])],
      items: true,
    });
  };
  let over = false;
  try {
    for (;;) {
      await reply.room();
      if (!reply.isOpen) return;
      const next = iterator.next();
      const step = isThenable<IteratorResult<unknown>>(next) ? await next : next;
      if (step.done) {
        over = true;
        break;
      }
      const checked = options.check(step.value);
      const bytes = encodeItem(options.form, isThenable(checked) ? await checked : checked);
      begin();
      if (!(await reply.data(bytes))) return;
    }
    begin();
    const last = encodeItemEnd(options.form);
    if (last) await reply.data(last);
    reply.end();
  } catch (error) {
    if (!begun || !reply.isOpen) throw error;
    options.onBroken(error);
    const data = toSerializedError(error);
    if (await reply.data(encodeItemError(options.form, data))) reply.end({ error: data });
  } finally {
    if (!over) await iterator.return?.(undefined);
  }
}
