import { FrameWriter, encodeValue, type FrameType } from "@samovar/protocol";

/** One frame with a head, and with a body where there is one. */
export function encodeHeadBodyFrame(type: FrameType, stream: number, head: unknown, body: Uint8Array | null = null): Buffer {
  const writer = new FrameWriter(256);
  writer.headBody(type, stream, encodeValue(head), body);
  return Buffer.concat(writer.take());
}
