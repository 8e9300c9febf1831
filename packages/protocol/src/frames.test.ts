import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { SamovarError } from "./errors.ts";
import { FRAME, FrameDecoder, MAX_FRAME_BYTES, encodeFrame, splitHeadBody } from "./frames.ts";
import { encodeHeadBody } from "./head-body.fixture.ts";
import { seeded } from "./random.fixture.ts";

interface Seen {
  type: number;
  stream: number;
  payload: string;
}

function decodeIn(pieces: readonly Buffer[]): Seen[] {
  const decoder = new FrameDecoder();
  const seen: Seen[] = [];
  for (const piece of pieces) decoder.push(piece, ({ type, stream, payload }) => seen.push({ type, stream, payload: payload.toString("latin1") }));
  return seen;
}

test("frames come out the same however the bytes are cut", () => {
  const random = seeded(3);
  const sent: Seen[] = [];
  const frames: Buffer[] = [];
  for (let i = 0; i < 60; i++) {
    const payload = "p".repeat(Math.floor(random() ** 6 * 200_000));
    const stream = Math.floor(random() * 2 ** 32);
    sent.push({ type: FRAME.data, stream, payload });
    frames.push(encodeFrame(FRAME.data, stream, Buffer.from(payload)));
  }
  const bytes = Buffer.concat(frames);
  expect(decodeIn([bytes])).toEqual(sent);
  for (const largest of [1, 7, 1_000, 65_536]) {
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length;) {
      const size = 1 + Math.floor(random() * largest);
      pieces.push(bytes.subarray(at, at + size));
      at += size;
    }
    expect(decodeIn(pieces)).toEqual(sent);
  }
});

test("a frame that claims too little or too much is malformed at its length, before its bytes come", () => {
  for (const size of [0, 4, MAX_FRAME_BYTES + 6, 0xffffffff]) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(size);
    expect(() => decodeIn([bytes])).toThrow(expect.objectContaining({ code: "protocol_error" }));
  }
  expect(decodeIn([encodeFrame(FRAME.data, 1, Buffer.alloc(MAX_FRAME_BYTES))])).toHaveLength(1);
  expect(() => encodeFrame(FRAME.data, 1, Buffer.alloc(MAX_FRAME_BYTES + 1))).toThrow(SamovarError);
});

test("random bytes never do anything but give frames or be refused", () => {
  const random = seeded(5);
  const others: unknown[] = [];
  for (let i = 0; i < 2_000; i++) {
    const bytes = Buffer.from(Array.from({ length: Math.floor(random() * 200) }, () => Math.floor(random() * 256 * random())));
    try {
      decodeIn([bytes]);
    } catch (error) {
      if (!(error instanceof SamovarError)) others.push(error);
    }
  }
  expect(others).toEqual([]);
});

test("head and body are told apart; a head that does not fit is refused", () => {
  const payload = Buffer.concat(encodeHeadBody(Buffer.from("head"), Buffer.from("body")));
  const { head, body } = splitHeadBody(payload);
  expect([head.toString(), body.toString()]).toEqual(["head", "body"]);
  expect(splitHeadBody(Buffer.concat(encodeHeadBody(Buffer.from("h"), null))).body).toHaveLength(0);
  for (const bad of [Buffer.alloc(3), Buffer.from([0, 0, 0, 2, 1])])
    expect(() => splitHeadBody(bad)).toThrow(expect.objectContaining({ code: "protocol_error" }));
});

test("the document's table of frames is this one", () => {
  const document = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");
  const rows = [...document.matchAll(/^\| `0x([0-9a-f]{2})` \| `(\w+)` \|/gm)].map(([, code, name]) => [name, Number.parseInt(code!, 16)]);
  expect(rows).toEqual(Object.entries(FRAME));
});
