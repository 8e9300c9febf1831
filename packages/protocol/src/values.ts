import { isUtf8 } from "node:buffer";
import { SamovarError, fromSerializedError, toSerializedError, type SerializedError } from "./errors.ts";

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
const EXT_UNDEFINED = 0;
const EXT_MAP = 1;
const EXT_SET = 2;
const EXT_BIGINT = 3;
const EXT_ERROR = 4;
const EXT_TIMESTAMP = -1;

/** Nesting beyond this is refused on both sides, so that no input can exhaust the stack. */
const MAX_DEPTH = 512;

/** Encodes a value. Throws `unserializable_result` (or the code given) with the path of what can't be sent. */
export function encodeValue(value: unknown, code: "unserializable_result" | "unserializable_input" = "unserializable_result"): Buffer {
  const writer = new Writer(code);
  writer.write(value, 0);
  return writer.finish();
}

/** Decodes one value that fills `bytes` exactly. Throws `protocol_error` on anything else. Bytes are copied out. */
export function decodeValue(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes);
  const value = reader.read(0);
  if (reader.at !== bytes.length) throw malformed("bytes left over after the value");
  return value;
}

class Writer {
  #bytes: Buffer = Buffer.allocUnsafe(256);
  #at = 0;
  readonly #code: "unserializable_result" | "unserializable_input";
  /** Keys from the root to the value being written; read only when refusing. */
  readonly #path: (string | number)[] = [];
  readonly #ancestors: object[] = [];

  constructor(code: "unserializable_result" | "unserializable_input") {
    this.#code = code;
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  write(value: unknown, depth: number): void {
    switch (typeof value) {
      case "string":
        return this.#string(value);
      case "number":
        return this.#number(value);
      case "boolean":
        this.#reserve(1);
        this.#bytes[this.#at++] = value ? 0xc3 : 0xc2;
        return;
      case "undefined":
        this.#reserve(3);
        this.#bytes[this.#at++] = 0xd4;
        this.#bytes[this.#at++] = EXT_UNDEFINED;
        this.#bytes[this.#at++] = 0;
        return;
      case "bigint":
        return this.#extension(EXT_BIGINT, Buffer.from(value.toString()));
      case "object":
        if (value === null) {
          this.#reserve(1);
          this.#bytes[this.#at++] = 0xc0;
          return;
        }
        return this.#object(value, depth);
      default:
        return this.#refuse(`a ${typeof value}`, "Pass plain data");
    }
  }

  #object(value: object, depth: number): void {
    if (depth >= MAX_DEPTH) this.#refuse(`nested deeper than ${MAX_DEPTH}`, "Flatten it");
    if (value instanceof Uint8Array) return this.#binary(value);
    if (value instanceof Date) return this.#date(value);
    if (this.#ancestors.includes(value)) this.#refuse("a cycle", "Break it, for example by sending ids in place of references");
    this.#ancestors.push(value);
    if (Array.isArray(value)) {
      this.#header(value.length, 0x90, 15, 0xdc, 0xdd);
      for (let i = 0; i < value.length; i++) this.#child(i, value[i], depth);
    } else if (value instanceof Map) {
      this.#nested(EXT_MAP, (writer) => {
        writer.#header(value.size * 2, 0x90, 15, 0xdc, 0xdd);
        for (const [key, item] of value) {
          writer.#child("(key)", key, depth);
          writer.#child(typeof key === "string" || typeof key === "number" ? key : "(value)", item, depth);
        }
      });
    } else if (value instanceof Set) {
      this.#nested(EXT_SET, (writer) => {
        writer.#header(value.size, 0x90, 15, 0xdc, 0xdd);
        let i = 0;
        for (const item of value) writer.#child(i++, item, depth);
      });
    } else if (value instanceof Error) {
      this.#nested(EXT_ERROR, (writer) => writer.write(plainError(value), depth + 1));
    } else if (value instanceof ArrayBuffer) {
      this.#binary(new Uint8Array(value));
    } else {
      const prototype = Object.getPrototypeOf(value) as object | null;
      // A plain object of another realm (a vm context) has a prototype whose own prototype is null.
      if (prototype !== null && prototype !== Object.prototype && Object.getPrototypeOf(prototype) !== null) {
        const name = (value.constructor as { name?: string } | undefined)?.name || "class";
        this.#refuse(
          ArrayBuffer.isView(value) ? `a ${name}` : `an instance of ${name}`,
          ArrayBuffer.isView(value) ? "Send Array.from(it), or its bytes as a Uint8Array" : "Send a plain object with the fields that are needed",
        );
      }
      const keys = Object.keys(value);
      this.#header(keys.length, 0x80, 15, 0xde, 0xdf);
      for (const key of keys) {
        this.#string(key);
        this.#child(key, (value as Record<string, unknown>)[key], depth);
      }
    }
    this.#ancestors.pop();
  }

  #child(key: string | number, value: unknown, depth: number): void {
    this.#path.push(key);
    this.write(value, depth + 1);
    this.#path.pop();
  }

  #refuse(what: string, fix: string): never {
    const path = formatPath(this.#path);
    throw new SamovarError(this.#code, `${path} is ${what}, which can't be sent. ${fix}`, { fields: { path } });
  }

  #string(text: string): void {
    const length = text.length;
    // Most strings are short and ASCII: a loop is faster than the call into the encoder.
    if (length < 32) {
      this.#reserve(1 + length * 3);
      const start = this.#at + 1;
      const bytes = this.#bytes;
      let i = 0;
      for (; i < length; i++) {
        const unit = text.charCodeAt(i);
        if (unit > 0x7f) break;
        bytes[start + i] = unit;
      }
      if (i === length) {
        bytes[this.#at] = 0xa0 | length;
        this.#at = start + length;
        return;
      }
    }
    const size = Buffer.byteLength(text);
    if (size !== length && !text.isWellFormed())
      this.#refuse("text with half a character (a lone surrogate)", "Cut strings between characters, or send it.toWellFormed()");
    this.#reserve(5 + size);
    if (size < 32) this.#bytes[this.#at++] = 0xa0 | size;
    else if (size < 0x100) {
      this.#bytes[this.#at++] = 0xd9;
      this.#bytes[this.#at++] = size;
    } else this.#sized(size, 0xda, 0xdb);
    this.#bytes.write(text, this.#at);
    this.#at += size;
  }

  #number(value: number): void {
    this.#reserve(9);
    const bytes = this.#bytes;
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      bytes[this.#at++] = 0xcb;
      this.#at = bytes.writeDoubleBE(value, this.#at);
    } else if (value >= 0) {
      if (value < 0x80) bytes[this.#at++] = value;
      else if (value < 0x100) {
        bytes[this.#at++] = 0xcc;
        bytes[this.#at++] = value;
      } else if (value < 0x10000) {
        bytes[this.#at++] = 0xcd;
        this.#at = bytes.writeUInt16BE(value, this.#at);
      } else if (value < 0x100000000) {
        bytes[this.#at++] = 0xce;
        this.#at = bytes.writeUInt32BE(value, this.#at);
      } else {
        bytes[this.#at++] = 0xcf;
        this.#at = bytes.writeBigUInt64BE(BigInt(value), this.#at);
      }
    } else if (value >= -32) bytes[this.#at++] = value & 0xff;
    else if (value >= -0x80) {
      bytes[this.#at++] = 0xd0;
      this.#at = bytes.writeInt8(value, this.#at);
    } else if (value >= -0x8000) {
      bytes[this.#at++] = 0xd1;
      this.#at = bytes.writeInt16BE(value, this.#at);
    } else if (value >= -0x80000000) {
      bytes[this.#at++] = 0xd2;
      this.#at = bytes.writeInt32BE(value, this.#at);
    } else {
      bytes[this.#at++] = 0xd3;
      this.#at = bytes.writeBigInt64BE(BigInt(value), this.#at);
    }
  }

  #binary(data: Uint8Array): void {
    this.#reserve(5 + data.length);
    if (data.length < 0x100) {
      this.#bytes[this.#at++] = 0xc4;
      this.#bytes[this.#at++] = data.length;
    } else this.#sized(data.length, 0xc5, 0xc6);
    this.#bytes.set(data, this.#at);
    this.#at += data.length;
  }

  #date(date: Date): void {
    const ms = date.getTime();
    if (Number.isNaN(ms)) this.#refuse("an invalid Date", "Check the date before sending it");
    const seconds = Math.floor(ms / 1_000);
    const payload = Buffer.allocUnsafe(12);
    payload.writeUInt32BE((ms - seconds * 1_000) * 1_000_000, 0);
    payload.writeBigInt64BE(BigInt(seconds), 4);
    this.#extension(EXT_TIMESTAMP, payload);
  }

  /** An extension whose payload is itself encoded values. */
  #nested(type: number, write: (writer: Writer) => void): void {
    this.#reserve(6);
    const start = this.#at;
    this.#at += 6;
    write(this);
    this.#bytes[start] = 0xc9;
    this.#bytes.writeUInt32BE(this.#at - start - 6, start + 1);
    this.#bytes.writeInt8(type, start + 5);
  }

  #extension(type: number, payload: Uint8Array): void {
    this.#reserve(6 + payload.length);
    this.#bytes[this.#at++] = 0xc9;
    this.#at = this.#bytes.writeUInt32BE(payload.length, this.#at);
    this.#at = this.#bytes.writeInt8(type, this.#at);
    this.#bytes.set(payload, this.#at);
    this.#at += payload.length;
  }

  #header(count: number, fix: number, fixMax: number, tag16: number, tag32: number): void {
    this.#reserve(5);
    if (count <= fixMax) this.#bytes[this.#at++] = fix | count;
    else this.#sized(count, tag16, tag32);
  }

  #sized(size: number, tag16: number, tag32: number): void {
    if (size < 0x10000) {
      this.#bytes[this.#at++] = tag16;
      this.#at = this.#bytes.writeUInt16BE(size, this.#at);
    } else {
      this.#bytes[this.#at++] = tag32;
      this.#at = this.#bytes.writeUInt32BE(size, this.#at);
    }
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + size));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}

class Reader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  read(depth: number): unknown {
    if (depth > MAX_DEPTH) throw malformed(`nested deeper than ${MAX_DEPTH}`);
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
        return toSafeNumber(this.#bytes.readBigUInt64BE(this.#skip(8)));
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
        throw malformed(`the unused tag 0x${tag.toString(16)}`);
    }
  }

  /** Goes past so many bytes and says where they began. No views are made on the way: heads of inputs are read here. */
  #skip(size: number): number {
    const start = this.at;
    if (start + size > this.#bytes.length) throw malformed("the bytes end inside a value");
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

  #text(size: number): string {
    const start = this.#skip(size);
    const text = this.#bytes.toString("utf8", start, this.at);
    // Decoding puts U+FFFD where the bytes are wrong: only then is it worth a look whether they are.
    if (text.includes("\ufffd") && !isUtf8(this.#bytes.subarray(start, this.at))) throw malformed("text that is not UTF-8");
    return text;
  }

  #binary(size: number): Uint8Array {
    return new Uint8Array(this.#take(size));
  }

  #array(count: number, depth: number): unknown[] {
    if (count > this.#bytes.length - this.at) throw malformed("an array longer than the bytes that hold it");
    const items: unknown[] = [];
    for (let i = 0; i < count; i++) items.push(this.read(depth + 1));
    return items;
  }

  #map(count: number, depth: number): Record<string, unknown> {
    if (count > this.#bytes.length - this.at) throw malformed("a map longer than the bytes that hold it");
    const result: Record<string, unknown> = {};
    for (let i = 0; i < count; i++) {
      const key = this.read(depth + 1);
      if (typeof key !== "string" && typeof key !== "number") throw malformed("a map key that is not a string");
      const value = this.read(depth + 1);
      if (key === "__proto__") Object.defineProperty(result, key, { value, enumerable: true, configurable: true, writable: true });
      else result[key] = value;
    }
    return result;
  }

  #extension(size: number, depth: number): unknown {
    const type = this.#bytes.readInt8(this.#skip(1));
    const end = this.at + size;
    if (end > this.#bytes.length) throw malformed("the bytes end inside an extension");
    const value = this.#extensionValue(type, size, depth);
    if (this.at !== end) throw malformed(`an extension of type ${type} whose size is wrong`);
    return value;
  }

  #extensionValue(type: number, size: number, depth: number): unknown {
    switch (type) {
      case EXT_UNDEFINED:
        this.#take(size);
        return undefined;
      case EXT_TIMESTAMP: {
        const date = readTimestamp(this.#take(size));
        if (Number.isNaN(date.getTime())) throw malformed("a timestamp out of range");
        return date;
      }
      case EXT_BIGINT: {
        const digits = this.#text(size);
        if (!/^-?\d{1,20000}$/.test(digits)) throw malformed("a BigInt that is not decimal digits");
        return BigInt(digits);
      }
      case EXT_MAP: {
        const flat = this.#payloadArray(depth);
        if (flat.length % 2) throw malformed("a Map with a key and no value");
        const map = new Map<unknown, unknown>();
        for (let i = 0; i < flat.length; i += 2) map.set(flat[i], flat[i + 1]);
        return map;
      }
      case EXT_SET:
        return new Set(this.#payloadArray(depth));
      case EXT_ERROR: {
        const data = this.read(depth + 1) as SerializedError;
        if (typeof data?.name !== "string" || typeof data.message !== "string") throw malformed("an Error without name and message");
        return fromSerializedError(data);
      }
      default:
        throw malformed(`the unknown extension type ${type}`);
    }
  }

  #payloadArray(depth: number): unknown[] {
    const value = this.read(depth + 1);
    if (!Array.isArray(value)) throw malformed("a Map or Set that is not an array");
    return value;
  }
}

function plainError(error: Error): SerializedError {
  // Fields are the raiser's and may hold anything; what can't cross is left out rather than failing the failure.
  const data = toSerializedError(error);
  if (!data.fields) return data;
  try {
    encodeValue(data.fields);
    return data;
  } catch {
    const { fields: _, ...rest } = data;
    return rest;
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
      throw malformed("a timestamp of unknown size");
  }
}

function toSafeNumber(value: bigint): number | bigint {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(value) : value;
}

/** `["user", "tags", 2]` as `$.user.tags[2]`. */
export function formatPath(path: readonly (string | number)[]): string {
  let text = "$";
  for (const key of path) text += typeof key === "number" ? `[${key}]` : /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
  return text;
}

function malformed(what: string): SamovarError {
  return new SamovarError("protocol_error", `Malformed value: ${what}`);
}
