import { isUtf8 } from "node:buffer";
import { SamovarError, fromSerializedError, type SerializedError } from "./errors.ts";
import { EXT_BIGINT, EXT_ERROR, EXT_MAP, EXT_SET, EXT_TIMESTAMP, EXT_UNDEFINED, MAX_DEPTH } from "./value-format.ts";

/** Up to here looking at each byte and taking the text as it is beats the decoder, which looks for sequences and ill-formed ones. */
const SHORT_TEXT = 64;
const KEY_SLOTS = 256;
const knownKeys: (string | undefined)[] = Array.from({ length: KEY_SLOTS }, () => undefined);

/** The reading half of `values.ts`: `protocol_error` for whatever it could not have written. */
export class ValueReader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  read(depth: number): unknown {
    if (depth > MAX_DEPTH) throw malformedValue(`nested deeper than ${MAX_DEPTH}`);
    const tag = this.#uint(1);
    if (tag < 0x80) return tag;
    if (tag < 0x90) return this.#map(tag & 0x0f, depth);
    if (tag < 0xa0) return this.#array(tag & 0x0f, depth);
    if (tag < 0xc0) return this.#text(tag & 0x1f);
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#binary(this.#uint(1));
      case 0xc5:
        return this.#binary(this.#uint(2));
      case 0xc6:
        return this.#binary(this.#uint(4));
      case 0xc7:
        return this.#extension(this.#uint(1), depth);
      case 0xc8:
        return this.#extension(this.#uint(2), depth);
      case 0xc9:
        return this.#extension(this.#uint(4), depth);
      case 0xca:
        return this.#bytes.readFloatBE(this.#skip(4));
      case 0xcb:
        return this.#bytes.readDoubleBE(this.#skip(8));
      case 0xcc:
        return this.#uint(1);
      case 0xcd:
        return this.#uint(2);
      case 0xce:
        return this.#uint(4);
      case 0xcf:
        return this.#uint64();
      case 0xd0:
        return this.#bytes.readInt8(this.#skip(1));
      case 0xd1:
        return this.#bytes.readInt16BE(this.#skip(2));
      case 0xd2:
        return this.#bytes.readInt32BE(this.#skip(4));
      case 0xd3:
        return toSafeNumber(this.#bytes.readBigInt64BE(this.#skip(8)));
      case 0xd4:
        return this.#extension(1, depth);
      case 0xd5:
        return this.#extension(2, depth);
      case 0xd6:
        return this.#extension(4, depth);
      case 0xd7:
        return this.#extension(8, depth);
      case 0xd8:
        return this.#extension(16, depth);
      case 0xd9:
        return this.#text(this.#uint(1));
      case 0xda:
        return this.#text(this.#uint(2));
      case 0xdb:
        return this.#text(this.#uint(4));
      case 0xdc:
        return this.#array(this.#uint(2), depth);
      case 0xdd:
        return this.#array(this.#uint(4), depth);
      case 0xde:
        return this.#map(this.#uint(2), depth);
      case 0xdf:
        return this.#map(this.#uint(4), depth);
      default:
        throw malformedValue(`the unused tag 0x${tag.toString(16)}`);
    }
  }

  /** Goes past so many bytes and says where they began. No views are made on the way: heads of inputs are read here. */
  #skip(size: number): number {
    const start = this.at;
    if (start + size > this.#bytes.length) throw malformedValue("the bytes end inside a value");
    this.at = start + size;
    return start;
  }

  #take(size: number): Buffer {
    const start = this.#skip(size);
    return this.#bytes.subarray(start, this.at);
  }

  #uint(size: 1 | 2 | 4): number {
    const start = this.#skip(size);
    return size === 1 ? this.#bytes[start]! : size === 2 ? this.#bytes.readUInt16BE(start) : this.#bytes.readUInt32BE(start);
  }

  #uint64(): number | bigint {
    const start = this.#skip(8);
    const number = this.#bytes.readUInt32BE(start) * 0x100000000 + this.#bytes.readUInt32BE(start + 4);
    // Times of day come here, and need no BigInt.
    return number <= Number.MAX_SAFE_INTEGER ? number : toSafeNumber(this.#bytes.readBigUInt64BE(start));
  }

  #text(size: number): string {
    const start = this.#skip(size);
    if (size <= SHORT_TEXT && this.#isAscii(start)) return this.#bytes.toString("latin1", start, this.at);
    const text = this.#bytes.toString("utf8", start, this.at);
    // Decoding puts U+FFFD where the bytes are wrong: only then is it worth a look whether they are.
    if (text.includes("\ufffd") && !isUtf8(this.#bytes.subarray(start, this.at))) throw malformedValue("text that is not UTF-8");
    return text;
  }

  /** From `start` to here. */
  #isAscii(start: number): boolean {
    const bytes = this.#bytes;
    for (let i = start; i < this.at; i++) if (bytes[i]! > 0x7f) return false;
    return true;
  }

  /** Keys are mostly few and the same ones again and again: the text that was made last for this length and these ends is used if it fits. */
  #key(depth: number): unknown {
    const bytes = this.#bytes;
    const size = bytes[this.at]! - 0xa0;
    const start = this.at + 1;
    if (!(size > 0 && size < 32) || start + size > bytes.length) return this.read(depth);
    const slot = (size << 4) ^ (bytes[start]! << 2) ^ bytes[start + size - 1]!;
    const known = knownKeys[slot & (KEY_SLOTS - 1)];
    if (known !== undefined && known.length === size) {
      let i = 0;
      while (i < size && known.charCodeAt(i) === bytes[start + i]) i++;
      if (i === size) {
        this.at = start + size;
        return known;
      }
    }
    const key = this.read(depth) as string;
    // Others have fewer characters than bytes, and would never fit.
    if (key.length === size) knownKeys[slot & (KEY_SLOTS - 1)] = key;
    return key;
  }

  #binary(size: number): Uint8Array {
    return new Uint8Array(this.#take(size));
  }

  #array(count: number, depth: number): unknown[] {
    if (count > this.#bytes.length - this.at) throw malformedValue("an array longer than the bytes that hold it");
    const items: unknown[] = [];
    for (let i = 0; i < count; i++) items.push(this.read(depth + 1));
    return items;
  }

  #map(count: number, depth: number): Record<string, unknown> {
    if (count > this.#bytes.length - this.at) throw malformedValue("a map longer than the bytes that hold it");
    const result: Record<string, unknown> = {};
    for (let i = 0; i < count; i++) {
      const key = this.#key(depth + 1);
      if (typeof key !== "string" && typeof key !== "number") throw malformedValue("a map key that is not a string");
      const value = this.read(depth + 1);
      if (key === "__proto__") Object.defineProperty(result, key, { value, enumerable: true, configurable: true, writable: true });
      else result[key] = value;
    }
    return result;
  }

  #extension(size: number, depth: number): unknown {
    const type = this.#bytes.readInt8(this.#skip(1));
    const end = this.at + size;
    if (end > this.#bytes.length) throw malformedValue("the bytes end inside an extension");
    const value = this.#extensionValue(type, size, depth);
    if (this.at !== end) throw malformedValue(`an extension of type ${type} whose size is wrong`);
    return value;
  }

  #extensionValue(type: number, size: number, depth: number): unknown {
    switch (type) {
      case EXT_UNDEFINED:
        this.#take(size);
        return undefined;
      case EXT_TIMESTAMP: {
        const date = readTimestamp(this.#take(size));
        if (Number.isNaN(date.getTime())) throw malformedValue("a timestamp out of range");
        return date;
      }
      case EXT_BIGINT: {
        const digits = this.#text(size);
        if (!/^-?\d{1,20000}$/.test(digits)) throw malformedValue("a BigInt that is not decimal digits");
        return BigInt(digits);
      }
      case EXT_MAP: {
        const flat = this.#payloadArray(depth);
        if (flat.length % 2) throw malformedValue("a Map with a key and no value");
        const map = new Map<unknown, unknown>();
        for (let i = 0; i < flat.length; i += 2) map.set(flat[i], flat[i + 1]);
        return map;
      }
      case EXT_SET:
        return new Set(this.#payloadArray(depth));
      case EXT_ERROR: {
        const data = this.read(depth + 1) as SerializedError;
        if (typeof data?.name !== "string" || typeof data.message !== "string") throw malformedValue("an Error without name and message");
        return fromSerializedError(data);
      }
      default:
        throw malformedValue(`the unknown extension type ${type}`);
    }
  }

  #payloadArray(depth: number): unknown[] {
    const value = this.read(depth + 1);
    if (!Array.isArray(value)) throw malformedValue("a Map or Set that is not an array");
    return value;
  }
}

function readTimestamp(payload: Buffer): Date {
  switch (payload.length) {
    case 4:
      return new Date(payload.readUInt32BE() * 1_000);
    case 8: {
      const packed = payload.readBigUInt64BE();
      return new Date(Number(packed & 0x3ffffffffn) * 1_000 + Number(packed >> 34n) / 1e6);
    }
    case 12:
      return new Date(Number(payload.readBigInt64BE(4)) * 1_000 + payload.readUInt32BE(0) / 1e6);
    default:
      throw malformedValue("a timestamp of unknown size");
  }
}

function toSafeNumber(value: bigint): number | bigint {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(value) : value;
}

export function malformedValue(what: string): SamovarError {
  return new SamovarError("protocol_error", `Malformed value: ${what}`);
}
