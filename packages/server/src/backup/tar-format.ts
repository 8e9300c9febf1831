/** What of the tar format (POSIX ustar with pax headers) a backup uses: files, folders and links, with paths and sizes of any length. */
export interface TarEntry {
  readonly type: "file" | "folder" | "link";
  /** Forward slashes, without one at the end. */
  readonly path: string;
  readonly size: number;
  readonly mode: number;
  readonly modifiedAtMs: number;
  /** Of a link; empty for the others. */
  readonly target: string;
}

export const BLOCK = 512;
const MAX_NAME = 100;
/** Eleven octal digits. */
const MAX_SIZE = 0o77777777777;
const FLAGS = { file: "0", folder: "5", link: "2" } as const;
const TYPES: Readonly<Record<string, TarEntry["type"]>> = { "\0": "file", "0": "file", "5": "folder", "2": "link" };
export const PAX_FLAG = "x";

/** Blocks that come before an entry's content. */
export function toHeader(entry: TarEntry): Buffer {
  const path = entry.type === "folder" ? `${entry.path}/` : entry.path;
  const long = {
    ...(fits(path) ? {} : { path }),
    ...(fits(entry.target) ? {} : { linkpath: entry.target }),
    ...(entry.size <= MAX_SIZE ? {} : { size: String(entry.size) }),
  };
  const header = toBlock(
    FLAGS[entry.type],
    fits(path) ? path : "long",
    entry,
    entry.size <= MAX_SIZE ? entry.size : 0,
    fits(entry.target) ? entry.target : "long",
  );
  if (Object.keys(long).length === 0) return header;
  const records = Buffer.from(Object.entries(long).map(toRecord).join(""));
  return Buffer.concat([toBlock(PAX_FLAG, "pax", entry, records.length, ""), records, Buffer.alloc(toPadding(records.length)), header]);
}

export const toPadding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

const fits = (text: string): boolean => Buffer.byteLength(text) <= MAX_NAME && /^[\x20-\x7e]*$/.test(text);

function toBlock(flag: string, path: string, { mode, modifiedAtMs }: TarEntry, size: number, target: string): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number, at: number): void => void block.write(value.toString(8).padStart(digits, "0"), at, "latin1");
  block.write(path, 0, "latin1");
  octal(mode & 0o777, 7, 100);
  octal(0, 7, 108);
  octal(0, 7, 116);
  octal(size, 11, 124);
  octal(Math.max(0, Math.floor(modifiedAtMs / 1_000)), 11, 136);
  block.write(flag, 156, "latin1");
  block.write(target, 157, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  octal(sumOf(block), 6, 148);
  block.write("\0 ", 154, "latin1");
  return block;
}

/** `17 path=some/name\n`: a record begins with its own length. */
function toRecord([key, value]: [string, string]): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + String(bytes).length;
  length = bytes + String(length).length;
  return `${length}${rest}`;
}

/** What a header block says; null for one of zeros, which ends the archive. Undefined for what is no header, or of no kind that a backup has. */
export function parseHeader(block: Buffer, pax: Readonly<Record<string, string>>): ParsedHeader | null | undefined {
  if (block.every((byte) => byte === 0)) return null;
  if (block.toString("latin1", 257, 262) !== "ustar" || toOctal(block, 148, 8) !== sumOf(block)) return undefined;
  const flag = String.fromCharCode(block[156]!);
  const type = flag === PAX_FLAG ? PAX_FLAG : TYPES[flag];
  const size = pax["size"] === undefined ? toOctal(block, 124, 12) : Number(pax["size"]);
  if (type === undefined || !Number.isSafeInteger(size) || size < 0) return undefined;
  const path = pax["path"] ?? toText(block, 0, MAX_NAME);
  return {
    type,
    path: type === "folder" ? path.replace(/\/$/, "") : path,
    size: type === "folder" || type === "link" ? 0 : size,
    mode: toOctal(block, 100, 8) & 0o777,
    modifiedAtMs: toOctal(block, 136, 12) * 1_000,
    target: pax["linkpath"] ?? toText(block, 157, MAX_NAME),
  };
}

export interface ParsedHeader extends Omit<TarEntry, "type"> {
  readonly type: TarEntry["type"] | typeof PAX_FLAG;
}

/** Undefined for what isn't as it should be. */
export function parsePax(records: Buffer): Record<string, string> | undefined {
  const found: Record<string, string> = {};
  for (let at = 0; at < records.length;) {
    const space = records.indexOf(0x20, at);
    const length = Number(records.toString("latin1", at, Math.max(at, space)));
    const end = at + length;
    if (space < 0 || !Number.isSafeInteger(length) || end <= space || end > records.length || records[end - 1] !== 0x0a) return undefined;
    const record = records.toString("utf8", space + 1, end - 1);
    const equals = record.indexOf("=");
    if (equals < 1) return undefined;
    found[record.slice(0, equals)] = record.slice(equals + 1);
    at = end;
  }
  return found;
}

/** The sum of a header's bytes, its own field taken as spaces. */
function sumOf(block: Buffer): number {
  let sum = 0;
  for (let at = 0; at < BLOCK; at++) sum += at >= 148 && at < 156 ? 0x20 : block[at]!;
  return sum;
}

function toText(block: Buffer, at: number, length: number): string {
  const text = block.subarray(at, at + length);
  const end = text.indexOf(0);
  return text.toString("utf8", 0, end === -1 ? length : end);
}

const toOctal = (block: Buffer, at: number, length: number): number => {
  const text = block
    .toString("latin1", at, at + length)
    .replace(/[\0 ]+$/, "")
    .trim();
  return /^[0-7]*$/.test(text) ? Number.parseInt(text || "0", 8) : Number.NaN;
};
