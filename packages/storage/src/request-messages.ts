import type { Operation, Request, RequestMessage } from "./operations.ts";

const NONE: readonly number[] = Object.freeze([]);

/** Many requests as one message. Its `bytes` are new memory, which may be handed over. */
export function toMessage(requests: readonly Request[]): RequestMessage {
  let length = 0;
  const operations: Operation[] = [];
  const sizes: (readonly number[])[] = [];
  for (const { operation, blobs } of requests) {
    operations.push(operation);
    sizes.push(blobs.length === 0 ? NONE : blobs.map((blob) => blob.length));
    for (const blob of blobs) length += blob.length;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const { blobs } of requests) {
    for (const blob of blobs) {
      bytes.set(blob, at);
      at += blob.length;
    }
  }
  return { operations, sizes, bytes };
}

export function toRequests({ operations, sizes, bytes }: RequestMessage): Request[] {
  let at = 0;
  return operations.map((operation, index) => ({
    operation,
    blobs: sizes[index]!.map((size) => {
      at += size;
      return bytes.subarray(at - size, at);
    }),
  }));
}
