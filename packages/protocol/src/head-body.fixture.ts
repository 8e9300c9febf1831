/** A payload of a head and a body, part by part: what `FrameWriter.headBody` writes without copying. */
export function encodeHeadBody(head: Uint8Array, body: Uint8Array | null): Uint8Array[] {
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(head.length, 0);
  return body ? [length, head, body] : [length, head];
}
