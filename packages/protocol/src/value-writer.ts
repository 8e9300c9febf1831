import { SamovarError, toSerializedError, type SerializedError } from "./errors.ts";
import { EXT_BIGINT, EXT_ERROR, EXT_MAP, EXT_SET, EXT_TIMESTAMP, EXT_UNDEFINED, MAX_DEPTH, formatPath } from "./value-format.ts";

/** What grew beyond this for one value is given away with it, or let go of. */
const KEPT_BYTES = 4 * 1024;

/** The writing half of `values.ts`. */
export class ValueWriter {
  #bytes: Buffer = Buffer.allocUnsafeSlow(KEPT_BYTES);
  #at = 0;
  #code: "unserializable_result" | "unserializable_input" = "unserializable_result";
  /** Keys from the root to the value being written; read only when refusing. */
  readonly #path: (string | number)[] = [];
  readonly #ancestors: object[] = [];

  /** Not to be called again before it has returned. */
  encode(value: unknown, code: "unserializable_result" | "unserializable_input"): Buffer {
    this.#at = 0;
    this.#code = code;
    try {
      this.#write(value, 0);
      const written = this.#bytes.subarray(0, this.#at);
      return this.#bytes.length === KEPT_BYTES ? Buffer.from(written) : written;
    } finally {
      // Nothing is kept of a value that was refused half-way either.
      this.#path.length = 0;
      this.#ancestors.length = 0;
      if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(KEPT_BYTES);
    }
  }

  #write(value: unknown, depth: number): void {
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
      this.#nested(EXT_ERROR, (writer) => writer.#write(plainError(value), depth + 1));
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
    this.#write(value, depth + 1);
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
        // In two halves: a BigInt made for it costs more than all the rest of a number.
        this.#at = bytes.writeUInt32BE(Math.floor(value / 0x100000000), this.#at);
        this.#at = bytes.writeUInt32BE(value % 0x100000000, this.#at);
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
  #nested(type: number, write: (writer: ValueWriter) => void): void {
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

function plainError(error: Error): SerializedError {
  // Fields are the raiser's and may hold anything; what can't cross is left out rather than failing the failure.
  const data = toSerializedError(error);
  if (!data.fields) return data;
  try {
    new ValueWriter().encode(data.fields, "unserializable_result");
    return data;
  } catch {
    const { fields: _, ...rest } = data;
    return rest;
  }
}
