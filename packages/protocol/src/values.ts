import { malformedValue, ValueReader } from "./value-reader.ts";
import { ValueWriter } from "./value-writer.ts";

/**
 * Values that cross: MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) with six extensions.
 *
 * | type | meaning | payload |
 * |---|---|---|
 * | -1 | Date | MessagePack's own timestamp |
 * | 0 | undefined | one zero byte |
 * | 1 | Map | an array: key, value, key, value … |
 * | 2 | Set | an array of its members |
 * | 3 | BigInt | its decimal digits, UTF-8 |
 * | 4 | Error | a map: name, message, stack, cause, code, fields, errors |
 *
 * Bytes are `bin`. There are no cycles and no class instances: an error names the path, as `$.user.tags[2]`.
 * Written by hand because it must refuse with a path, and because the runner loads it at every cold start.
 */

/** Encodes a value. Throws `unserializable_result` (or the code given) with the path of what can't be sent. */
export function encodeValue(value: unknown, code: "unserializable_result" | "unserializable_input" = "unserializable_result"): Buffer {
  // Only a getter in the value can want to encode another one meanwhile.
  const writer = spare ?? new ValueWriter();
  spare = null;
  try {
    return writer.encode(value, code);
  } finally {
    spare = writer;
  }
}

/** What is encoded is mostly small and soon copied: one writer, with its memory, serves for all. */
let spare: ValueWriter | null = null;

/** Decodes one value that fills `bytes` exactly. Throws `protocol_error` on anything else. Bytes are copied out. */
export function decodeValue(bytes: Uint8Array): unknown {
  const reader = new ValueReader(bytes);
  const value = reader.read(0);
  if (reader.at !== bytes.length) throw malformedValue("bytes left over after the value");
  return value;
}

export { formatPath } from "./value-format.ts";
