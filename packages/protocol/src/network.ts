/**
 * Entries of `network.allow`, read in one place so that the SDK refuses the same ones as the server. IPv4 addresses
 * are numbers from 0 to 2³² - 1.
 */
export type AllowEntry =
  | Ipv4Range
  /** In canonical spelling, as `2001:db8::/32`. */
  | { readonly kind: "ipv6"; readonly range: string }
  /** `below`: the names under it, at any depth, and not the name itself. */
  | { readonly kind: "domain"; readonly name: string; readonly below: boolean };

export interface Ipv4Range {
  readonly kind: "ipv4";
  readonly address: number;
  readonly prefix: number;
}

/** Of one policy. Enough for the published ranges of a large provider. */
export const MAX_ALLOW_ENTRIES = 1_000;

const MAX_NAME_LENGTH = 253;
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
const LOOPBACK: Ipv4Range = { kind: "ipv4", address: 0x7f000000, prefix: 8 };

/**
 * What is wrong with an entry, as a sentence that says how to spell it; undefined for a good one.
 *
 *     describeAllowProblem("https://example.com/v1") // 'https://example.com/v1 is a URL: give its host alone, "example.com"'
 */
export function describeAllowProblem(entry: unknown): string | undefined {
  const read = readAllowEntry(entry);
  return typeof read === "string" ? read : undefined;
}

/** Only for entries without a problem: throws a plain Error for others. */
export function parseAllowEntry(entry: string): AllowEntry {
  const read = readAllowEntry(entry);
  if (typeof read === "string") throw new Error(read);
  return read;
}

/** Whether the entry lets this name through: lower case, no dot at its end. */
export function allowsName(entry: AllowEntry, name: string): boolean {
  if (entry.kind !== "domain") return false;
  return entry.below ? name.endsWith(`.${entry.name}`) : name === entry.name;
}

/** Whether all of `inner` lies in `outer`. */
export function containsRange(outer: Omit<Ipv4Range, "kind">, inner: Omit<Ipv4Range, "kind">): boolean {
  return outer.prefix <= inner.prefix && firstOf(inner.address, outer.prefix) === firstOf(outer.address, outer.prefix);
}

export function rangesOverlap(a: Omit<Ipv4Range, "kind">, b: Omit<Ipv4Range, "kind">): boolean {
  return containsRange(a, b) || containsRange(b, a);
}

/** Null for anything but four decimal numbers without leading zeros. */
export function parseIpv4(text: string): number | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return null;
  return parts.reduce((address, part) => address * 256 + Number(part), 0);
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

export function formatIpv4Range(range: Omit<Ipv4Range, "kind">): string {
  return `${formatIpv4(range.address)}/${range.prefix}`;
}

/** The entry, or what is wrong with it. */
function readAllowEntry(entry: unknown): AllowEntry | string {
  if (typeof entry !== "string") return `Entries are strings, but one is ${entry === null ? "null" : `a ${typeof entry}`}`;
  if (entry === "") return 'An entry is empty: give a CIDR ("10.0.0.0/8") or a domain ("example.com")';
  if (/\s/.test(entry)) return `${JSON.stringify(entry)} has a space in it: give each CIDR and domain an entry of its own`;
  if (entry.includes("://")) return readUrl(entry);
  if (/^\[.*\]/.test(entry)) return `${entry} has brackets: an IPv6 address stands without them`;
  const [address, prefix, ...more] = entry.split("/");
  if (more.length === 0 && address !== "") {
    if (/^\d+(\.\d+)*$/.test(address!)) return readIpv4(entry, address!, prefix);
    if (address!.includes(":") && /^[0-9a-fA-F:.]+$/.test(address!) && address!.split(":").length > 2) return readIpv6(entry, address!, prefix);
  }
  if (entry.includes("/")) return `${entry} is neither a CIDR nor a domain: paths can't be allowed, only whole hosts`;
  if (entry.includes(":")) return `${entry} names a port: a host is allowed with all its ports, so give "${entry.slice(0, entry.indexOf(":"))}"`;
  return readDomain(entry);
}

function readUrl(entry: string): string {
  const host = URL.canParse(entry) ? new URL(entry).hostname : "";
  return `${entry} is a URL: give its host alone${host ? `, "${host}"` : ""}`;
}

function readIpv4(entry: string, text: string, prefixText: string | undefined): AllowEntry | string {
  const address = parseIpv4(text);
  if (address === null) return `${entry} is not an IPv4 address: it has four numbers from 0 to 255, without leading zeros`;
  const prefix = readPrefix(prefixText, 32);
  if (prefix === null) return `${entry} has no prefix length from 0 to 32 after its slash`;
  const first = firstOf(address, prefix);
  if (first !== address)
    return `${entry} has bits set after its prefix: write "${formatIpv4Range({ address: first, prefix })}", or "${text}" for the one address`;
  const range: Ipv4Range = { kind: "ipv4", address, prefix };
  if (containsRange(LOOPBACK, range)) return `${entry} is the container itself: loopback needs no entry, and the machine's own can't be reached through it`;
  return range;
}

function readIpv6(entry: string, text: string, prefixText: string | undefined): AllowEntry | string {
  const url = `http://[${text}]/`;
  if (!URL.canParse(url)) return `${entry} is not an IPv6 address`;
  const prefix = readPrefix(prefixText, 128);
  if (prefix === null) return `${entry} has no prefix length from 0 to 128 after its slash`;
  return { kind: "ipv6", range: `${new URL(url).hostname.slice(1, -1)}/${prefix}` };
}

function readPrefix(text: string | undefined, max: number): number | null {
  if (text === undefined) return max;
  return /^(0|[1-9]\d{0,2})$/.test(text) && Number(text) <= max ? Number(text) : null;
}

function readDomain(entry: string): AllowEntry | string {
  const below = entry.startsWith("*.");
  const name = entry
    .slice(below ? 2 : 0)
    .replace(/\.$/, "")
    .toLowerCase();
  if (entry === "*") return '* is no domain: give "0.0.0.0/0" to reach every address, or the domains that are needed';
  if (name.includes("*")) return `${entry} has a * where it means nothing: only the first label may be one, as in "*.example.com"`;
  // oxlint-disable-next-line no-control-regex -- what is not ASCII is meant.
  if (/[^\x00-\x7f]/.test(name)) return describeUnicode(entry, name, below);
  if (name.length > MAX_NAME_LENGTH) return `${entry.slice(0, 32)}… is longer than the ${MAX_NAME_LENGTH} characters that a domain may have`;
  const wrong = name.split(".").find((label) => !LABEL.test(label));
  if (wrong !== undefined)
    return `${entry} is neither a CIDR nor a domain: ${wrong === "" ? "it has an empty label" : `its label "${wrong.slice(0, 64)}" is not 1 to 63 letters, digits and hyphens inside`}`;
  if (/(^|\.)\d+$/.test(name)) return `${entry} is neither a CIDR nor a domain: a domain's last label is not a number`;
  if (name === "localhost") return `${entry} is the container itself: loopback needs no entry, and the machine's own can't be reached through it`;
  return { kind: "domain", name, below };
}

function describeUnicode(entry: string, name: string, below: boolean): string {
  const url = `http://${name}/`;
  const hint = URL.canParse(url) ? `, "${below ? "*." : ""}${new URL(url).hostname}"` : "";
  return `${entry} has letters outside of ASCII: give the form that DNS knows${hint}`;
}

/** The lowest address of the range of this length that holds `address`. */
function firstOf(address: number, prefix: number): number {
  const size = 2 ** (32 - prefix);
  return Math.floor(address / size) * size;
}
