import { allowsName, describeAllowProblem, parseAllowEntry, type AllowEntry } from "@samovar/protocol";
import { carriedIpv4, contains, parseAddress, parseRange, type Address, type AddressRange } from "./address.ts";

/** Where callbacks may go: ranges of addresses and names, each opened or closed. Of all that fit, the narrowest decides. */
export interface TargetRules {
  readonly ranges: readonly RangeRule[];
  readonly names: readonly NameRule[];
}

type DomainEntry = Extract<AllowEntry, { readonly kind: "domain" }>;

/** A container's own in lists of networks; here it is the server's. */
const LOCALHOST: DomainEntry = { kind: "domain", name: "localhost", below: false };

interface RangeRule {
  readonly range: AddressRange;
  readonly open: boolean;
  /** What lies there, for the message. */
  readonly what: string;
  /** Of two that are as narrow, the higher one decides. */
  readonly rank: number;
}

interface NameRule {
  readonly entry: DomainEntry;
  readonly open: boolean;
}

/**
 * Refused unless the operator says otherwise: where clouds give machines their secrets, and what is no address of one
 * machine. Private ranges and loopback are open: whoever deploys code here may reach them from it as well.
 */
const CLOSED: readonly (readonly [what: string, ranges: readonly string[]])[] = [
  ["an unspecified address", ["0.0.0.0/8", "::/128"]],
  ["a link-local address", ["169.254.0.0/16", "fe80::/10"]],
  ["a multicast address", ["224.0.0.0/4", "ff00::/8"]],
  ["a reserved address", ["240.0.0.0/4", "100::/64"]],
  ["a broadcast address", ["255.255.255.255/32"]],
  [
    "a metadata address of a cloud",
    [
      "169.254.169.254/32",
      "169.254.170.2/32",
      "169.254.170.23/32",
      "100.100.100.200/32",
      "168.63.129.16/32",
      "192.0.0.192/32",
      "fd00:ec2::/32",
      "fd20:ce::254/128",
      "fd00:42::42/128",
      "fd00:c1::a9fe:a9fe/128",
    ],
  ],
];

/** What is wrong with an entry of the operator's lists, as a sentence; undefined for a good one. */
export function describeTargetProblem(entry: string): string | undefined {
  return isRangeOrLocalhost(entry) ? undefined : describeAllowProblem(entry);
}

/** `allow` and `deny` are addresses, CIDRs, names and `*.names`; all without a problem. */
export function createTargetRules(allow: readonly string[], deny: readonly string[]): TargetRules {
  const given = [...allow.map((text) => ({ text, open: true })), ...deny.map((text) => ({ text, open: false }))];
  const ranges: RangeRule[] = CLOSED.flatMap(([what, texts]) => texts.map((text) => ({ range: parseRange(text)!, open: false, what, rank: 0 })));
  const names: NameRule[] = [];
  for (const { text, open } of given) {
    const range = parseRange(text);
    if (range) ranges.push({ range, open, what: "closed by SAMOVAR_CALLBACK_DENY", rank: open ? 1 : 2 });
    else names.push({ entry: parseName(text), open });
  }
  return { ranges, names };
}

/** What the name alone decides; undefined: its addresses do. */
export function judgeName(rules: TargetRules, name: string): "open" | "closed" | undefined {
  const plain = name.toLowerCase().replace(/\.$/, "");
  const fitting = rules.names.filter(({ entry }) => allowsName(entry, plain)).sort((a, b) => widthOf(a) - widthOf(b) || Number(a.open) - Number(b.open));
  const narrowest = fitting[0];
  return narrowest && (narrowest.open ? "open" : "closed");
}

/** `open`: by an entry of the operator's own; undefined: nothing speaks against it; else what it is that is refused. */
export function judgeAddress(
  rules: TargetRules,
  text: string,
): { readonly verdict: "open" } | { readonly verdict: "closed"; readonly what: string } | undefined {
  const address = parseAddress(text);
  if (!address) return { verdict: "closed", what: "no address that can be read" };
  const own = judgeOne(rules, address);
  if (own?.verdict) return own;
  for (const carried of carriedIpv4(address)) {
    const verdict = judgeOne(rules, carried);
    if (verdict?.verdict === "closed") return verdict;
  }
  return undefined;
}

function judgeOne(rules: TargetRules, address: Address): ReturnType<typeof judgeAddress> {
  let narrowest: RangeRule | undefined;
  for (const rule of rules.ranges) {
    if (!contains(rule.range, address)) continue;
    const order = narrowest ? rule.range.prefix - narrowest.range.prefix || rule.rank - narrowest.rank : 1;
    if (order > 0) narrowest = rule;
  }
  if (!narrowest) return undefined;
  return narrowest.open ? { verdict: "open" } : { verdict: "closed", what: narrowest.what };
}

/** The name itself is narrower than what is below a name, and that is narrower the longer the name is. */
const widthOf = ({ entry }: NameRule): number => (entry.below ? 1_000 - entry.name.length : 0);

function parseName(text: string): DomainEntry {
  const entry = text === "localhost" ? LOCALHOST : parseAllowEntry(text);
  if (entry.kind !== "domain") throw new Error(`${text} is not a name`);
  return entry;
}

function isRangeOrLocalhost(entry: string): boolean {
  return entry === "localhost" || parseRange(entry) !== null;
}
