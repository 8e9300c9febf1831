import type { IncomingMessage } from "node:http";
import { INLINE_BODY_BYTES, SamovarError, show } from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import { tooLarge, type BodyLimits } from "./body-limits.ts";
import type { ByteBudget } from "./byte-budget.ts";
import { BodyStream } from "./body-stream.ts";

/** Exactly one of `whole` and `stream`, or `failed`; after `stream`, `failed` may still come. */
export interface BodyReceiver {
  whole(body: Buffer | null): void;
  stream(body: BodyStream): void;
  failed(error: SamovarError): void;
}

/**
 * Takes the body in. Small ones come whole; those over `INLINE_BODY_BYTES`, and with `streaming` those of unknown
 * length, as a stream under the reader's pace. A client that leaves is told by the response's `close`, not here.
 */
export function receiveBody(req: IncomingMessage, limits: BodyLimits, clock: Clock, streaming: boolean, receiver: BodyReceiver): void {
  const declared = req.headers["content-length"];
  const length = declared === undefined ? undefined : Number(declared);
  const coding = length === undefined ? req.headers["transfer-encoding"] : undefined;
  if (length === 0 || (length === undefined && coding === undefined)) return receiver.whole(null);
  if (coding !== undefined && (coding.toLowerCase() !== "chunked" || req.httpVersionMinor === 0)) return receiver.failed(oddCoding(req, coding));
  if (length !== undefined && length > limits.maxBytes) return receiver.failed(tooLarge(length, limits.maxBytes));
  if (length === undefined ? streaming : length > INLINE_BODY_BYTES) return receiver.stream(new BodyStream(req, limits, clock, [], receiver.failed));
  gather(req, limits, clock, receiver);
}

/**
 * All of a body that came as a stream, given to `use`; until that is done its bytes are the budget's. Rejects with
 * `payload_too_large` past the limit, and with what ends the body early.
 */
export async function collectBody(body: AsyncIterable<Buffer>, maxBytes: number, budget: ByteBudget, use: (whole: Buffer) => Promise<void>): Promise<void> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      budget.take(chunk.length);
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(size, maxBytes);
      chunks.push(chunk);
    }
    await use(Buffer.concat(chunks, size));
  } finally {
    budget.give(size);
  }
}

function gather(req: IncomingMessage, limits: BodyLimits, clock: Clock, receiver: BodyReceiver): void {
  let first: Buffer | null = null;
  let more: Buffer[] | null = null;
  let size = 0;
  let over = false;
  let cancelTimer: (() => void) | undefined;

  const finish = (): void => {
    over = true;
    cancelTimer?.();
  };
  const onData = (chunk: Buffer): void => {
    size += chunk.length;
    if (!first) first = chunk;
    else (more ??= [first]).push(chunk);
    if (size <= INLINE_BODY_BYTES && size <= limits.maxBytes) return;
    finish();
    req.off("data", onData);
    req.off("end", onEnd);
    req.pause();
    if (size > limits.maxBytes) receiver.failed(tooLarge(size, limits.maxBytes));
    else receiver.stream(new BodyStream(req, limits, clock, more ?? [chunk], receiver.failed));
  };
  const onEnd = (): void => {
    finish();
    receiver.whole(more ? Buffer.concat(more, size) : first);
  };

  req.on("data", onData);
  req.on("end", onEnd);
  // Nearly every small body comes in the segment of its head: only the others are worth a timer.
  afterTurn(() => {
    if (over || req.destroyed) return;
    req.once("close", finish);
    cancelTimer = clock.after(limits.gatherMs, () => {
      finish();
      req.off("data", onData);
      req.off("end", onEnd);
      receiver.failed(new SamovarError("invalid_request", `The body was not whole after ${limits.gatherMs / 1_000} s: ${size} bytes had come`));
    });
  });
}

let owed: (() => void)[] = [];

/** Calls back when this turn of the event loop is over: one immediate for all that ask in it. */
function afterTurn(run: () => void): void {
  if (owed.push(run) === 1) setImmediate(runOwed);
}

function runOwed(): void {
  const runs = owed;
  owed = [];
  for (const run of runs) run();
}

export const hasBody = (req: IncomingMessage): boolean => req.headers["content-length"] !== undefined || req.headers["transfer-encoding"] !== undefined;

/** What an answer leaves unread is read and dropped, so that the client sees the answer; but not for ever. */
export function dropRest(req: IncomingMessage, clock: Clock, lingerMs: number): void {
  if (req.readableEnded || req.destroyed) return;
  req.removeAllListeners("data");
  req.resume();
  if (req.complete) return;
  const cancelTimer = clock.after(lingerMs, () => req.socket.destroy());
  req.once("close", cancelTimer);
  req.once("end", cancelTimer);
}

/** The parser takes off `chunked` and leaves what is below; and HTTP/1.0 has no chunks, so that somebody on the way may read it otherwise. */
function oddCoding(req: IncomingMessage, coding: string): SamovarError {
  return new SamovarError("unsupported", `The body comes with transfer-encoding ${show(coding)} in HTTP/${req.httpVersion}: only chunked is read, in HTTP/1.1`);
}
