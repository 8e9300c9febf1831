import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { FrameWriter } from "./frame-writer.ts";
import { FRAME, FrameDecoder, MAX_FRAME_BYTES, encodeFrame } from "./frames.ts";
import { encodeHeadBody } from "./head-body.fixture.ts";
import { seeded } from "./random.fixture.ts";

test("frames are written as one by one, whatever fits into a slab and whenever they are taken", () => {
  const random = seeded(7);
  const writer = new FrameWriter(256);
  const taken: Buffer[] = [];
  const wanted: Buffer[] = [];
  for (let i = 1; i <= 2_000; i++) {
    const head = Buffer.alloc(Math.floor(random() * 40), i);
    const body = "bö".repeat(Math.floor(random() ** 4 * 300));
    if (random() < 0.5) {
      writer.frame(FRAME.data, i, head);
      wanted.push(encodeFrame(FRAME.data, i, head));
    } else {
      const asText = random() < 0.5;
      writer.headBody(FRAME.result, i, head, asText ? body : Buffer.from(body));
      wanted.push(encodeFrame(FRAME.result, i, ...encodeHeadBody(head, Buffer.from(body))));
    }
    if (random() < 0.2) taken.push(...writer.take());
  }
  expect(writer.bytes).toBe(Buffer.concat(wanted).length - Buffer.concat(taken).length);
  taken.push(...writer.take());
  expect(Buffer.concat(taken).equals(Buffer.concat(wanted))).toBe(true);
  expect(writer.bytes).toBe(0);
  expect(writer.take()).toEqual([]);
});

test("the largest frame is written, one over the limit is refused and leaves nothing behind", () => {
  const writer = new FrameWriter(256);
  expect(() => writer.frame(FRAME.data, 1, Buffer.alloc(MAX_FRAME_BYTES + 1))).toThrow(expect.objectContaining({ code: "protocol_error" }));
  expect(writer.bytes).toBe(0);
  writer.frame(FRAME.data, 3, Buffer.alloc(MAX_FRAME_BYTES));
  const streams: number[] = [];
  const decoder = new FrameDecoder();
  for (const piece of writer.take()) decoder.push(piece, ({ stream }) => streams.push(stream));
  expect(streams).toEqual([3]);
});

test("a slab that was made for a large frame is let go of once it is taken, and what comes after is whole", async () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  const writer = new FrameWriter(256);
  const takeLarge = (): WeakRef<ArrayBufferLike> => {
    writer.frame(FRAME.data, 1, Buffer.alloc(100_000));
    return new WeakRef(writer.take()[0]!.buffer);
  };
  // What a WeakRef was made of is kept to the end of the turn.
  const slab = takeLarge();
  await new Promise((resolve) => setImmediate(resolve));
  gc();
  expect(slab.deref()).toBeUndefined();
  writer.frame(FRAME.ping, 0, null);
  expect(Buffer.concat(writer.take()).equals(encodeFrame(FRAME.ping, 0))).toBe(true);
});
