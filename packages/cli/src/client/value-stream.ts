import { SamovarError, decodeValue, fromSerializedError, type SerializedError } from "@samovar/protocol";

const TAG_ITEM = 0;
const TAG_ERROR = 1;
const TAG_END = 2;
const HEADER_BYTES = 4;
/** Larger items can't be values: 16 MiB is the limit of one, and leaves room for what surrounds it. */
const MAX_ITEM_BYTES = 128 * 1024 * 1024;

/**
 * The items of `application/vnd.samovar.values`: each u32 length, u8 tag, value. Throws what the generator threw,
 * and `container_lost` when the bytes end before the stream said so.
 */
export async function* readValueStream(body: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of body) {
    held = held.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : Buffer.concat([held, chunk]);
    for (;;) {
      if (held.length < HEADER_BYTES) break;
      const size = held.readUInt32BE(0);
      if (size < 1 || size > MAX_ITEM_BYTES) throw new SamovarError("protocol_error", `The server sent an item of ${size} bytes`);
      if (held.length < HEADER_BYTES + size) break;
      const tag = held[HEADER_BYTES]!;
      const value = held.subarray(HEADER_BYTES + 1, HEADER_BYTES + size);
      held = held.subarray(HEADER_BYTES + size);
      if (tag === TAG_END) return;
      if (tag === TAG_ERROR) throw fromSerializedError(decodeValue(value) as SerializedError);
      if (tag !== TAG_ITEM) throw new SamovarError("protocol_error", `The server sent an item with the unknown tag ${tag}`);
      yield decodeValue(value);
    }
  }
  throw new SamovarError("container_lost", "The stream broke off before its end");
}
