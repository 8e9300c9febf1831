declare const batchMark: unique symbol;

/**
 * The inputs that a batch handler gets. Callers pass single values; the mark tells a batch from a method whose one
 * input is an array.
 *
 * @example
 * export const embed = fn({ batch: { maxBatchSize: 32, wait: "10ms" } }, async (texts: Batch<string>) => model.embed(texts));
 */
export type Batch<T> = readonly T[] & { readonly [batchMark]?: true };

/** Whether a type carries the mark. */
export type IsBatch<T> = typeof batchMark extends keyof T ? true : false;

/**
 * The failure of one item of a batch: returned in the item's place, it is thrown to that item's caller only.
 *
 * @example
 * return images.map((image) => (image.ok ? classify(image) : new BatchError("Image is broken")));
 */
export class BatchError extends Error {
  override readonly name: string = "BatchError";
}
