import { isIPv4, isIPv6 } from "node:net";
import { parseIpv4 } from "@samovar/protocol";

/** An IP address as a number. */
export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

export interface AddressRange {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly prefix: number;
}

/** Null for what is no address. An IPv4 address that is written as IPv6 (`::ffff:127.0.0.1`) is the IPv4 address: the kernel connects to that. */
export function parseAddress(text: string): Address | null {
  if (isIPv4(text)) {
    const value = parseIpv4(text);
    return value === null ? null : { family: 4, value: BigInt(value) };
  }
  if (!isIPv6(text)) return null;
  const value = parseIpv6(text.replace(/%.*$/, ""));
  return value >> 32n === 0xffffn ? { family: 4, value: value & 0xffffffffn } : { family: 6, value };
}

/** `10.0.0.0/8`, or one address. Null for what is neither, or has bits set after its prefix. */
export function parseRange(text: string): AddressRange | null {
  const [address, prefixText, ...more] = text.split("/");
  const parsed = parseAddress(address!);
  if (!parsed || more.length > 0) return null;
  const bits = bitsOf(parsed.family);
  if (prefixText !== undefined && !/^(0|[1-9]\d{0,2})$/.test(prefixText)) return null;
  const prefix = prefixText === undefined ? bits : Number(prefixText);
  if (prefix > bits) return null;
  const range = { family: parsed.family, first: parsed.value, prefix };
  return shiftOut(range, parsed.value) << BigInt(bits - prefix) === parsed.value ? range : null;
}

export function contains(range: AddressRange, address: Address): boolean {
  return range.family === address.family && shiftOut(range, range.first) === shiftOut(range, address.value);
}

/**
 * The IPv4 addresses that an IPv6 address leads to by way of a translator or a tunnel: who refuses one of them must not be
 * led there round the corner.
 */
export function carriedIpv4(address: Address): readonly Address[] {
  if (address.family === 4) return [];
  const { value } = address;
  const found: bigint[] = [];
  // ::a.b.c.d, as it was written once; NAT64 (RFC 6052, 8215); then 6to4; then Teredo, which turns the bits over.
  if (value >> 32n === 0n && value > 1n) found.push(value);
  if (value >> 32n === 0x0064_ff9b_0000_0000_0000_0000n || value >> 80n === 0x0064_ff9b_0001n) found.push(value);
  if (value >> 112n === 0x2002n) found.push(value >> 80n);
  if (value >> 96n === 0x2001_0000n) found.push(~value);
  return found.map((bits) => ({ family: 4, value: bits & 0xffffffffn }));
}

const bitsOf = (family: 4 | 6): number => (family === 4 ? 32 : 128);
const shiftOut = (range: AddressRange, value: bigint): bigint => value >> BigInt(bitsOf(range.family) - range.prefix);

/** Of text that `isIPv6` takes. */
function parseIpv6(text: string): bigint {
  const [before, after] = text.split("::");
  const head = groupsOf(before!);
  const tail = after === undefined ? [] : groupsOf(after);
  const groups = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

function groupsOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((part) => {
    if (!part.includes(".")) return [Number.parseInt(part, 16)];
    const ipv4 = parseIpv4(part) ?? 0;
    return [Math.floor(ipv4 / 65_536), ipv4 % 65_536];
  });
}
