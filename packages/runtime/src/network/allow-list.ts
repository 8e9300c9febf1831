import { allowsName, containsRange, parseAllowEntry, rangesOverlap, type AllowEntry, type Ipv4Range } from "@samovar/protocol";

/** `network.allow` as the firewall and the name server use it. */
export interface AllowList {
  /** None lies in another. */
  readonly ranges: readonly Ipv4Range[];
  /** Those of `ranges` that lie in 169.254.0.0/16: wider ones don't open it. */
  readonly linkLocal: readonly Ipv4Range[];
  readonly domains: readonly AllowEntry[];
  /** Entries that open nothing: containers have no IPv6. */
  readonly ipv6: readonly string[];
}

/** 169.254.0.0/16, where clouds give machines their secrets. */
export const LINK_LOCAL: Ipv4Range = ipv4("169.254.0.0/16");

/** Where no name of a stranger may point a container to: private, shared, loopback, link-local, benchmark, multicast and reserved. */
const NOT_PUBLIC: readonly Ipv4Range[] = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "224.0.0.0/3",
].map(ipv4);
const LOOPBACK: Ipv4Range = { kind: "ipv4", address: 0x7f000000, prefix: 8 };

export function toAllowList(allow: readonly string[]): AllowList {
  const entries = allow.map((entry) => parseAllowEntry(entry));
  const all = entries.filter((entry): entry is Ipv4Range => entry.kind === "ipv4");
  const widestFirst = [...all].sort((a, b) => a.prefix - b.prefix || a.address - b.address);
  const ranges: Ipv4Range[] = [];
  for (const range of widestFirst) if (!ranges.some((wider) => containsRange(wider, range))) ranges.push(range);
  return {
    ranges,
    // Of all entries, not of the merged ones: beside 0.0.0.0/0 an entry of its own still counts.
    linkLocal: widestFirst.filter(
      (range, at) => containsRange(LINK_LOCAL, range) && !widestFirst.slice(0, at).some((wider) => isLinkLocal(wider) && containsRange(wider, range)),
    ),
    domains: entries.filter((entry) => entry.kind === "domain"),
    ipv6: entries.flatMap((entry) => (entry.kind === "ipv6" ? [entry.range] : [])),
  };
}

/**
 * Whether the name server answers for a name: where a domain of the list has it, and, for all names, where a range of
 * the list opens one of the host's own resolvers, which the container could ask itself.
 */
export function mayResolve(list: AllowList, name: string, resolvers: readonly number[]): boolean {
  if (list.domains.some((entry) => allowsName(entry, name))) return true;
  return resolvers.some((address) => opens(list, address));
}

/** Whether a range of the list has the address. */
export function opens(list: AllowList, address: number): boolean {
  return list.ranges.some((range) => containsRange(range, one(address)));
}

/** Whether an answer opens its address. What isn't public is opened by ranges of the list only, whatever a name resolves to. */
export function mayGrant(address: number): boolean {
  return ![...NOT_PUBLIC, LOOPBACK].some((range) => rangesOverlap(range, one(address)));
}

function isLinkLocal(range: Ipv4Range): boolean {
  return containsRange(LINK_LOCAL, range);
}

function one(address: number): Ipv4Range {
  return { kind: "ipv4", address, prefix: 32 };
}

function ipv4(text: string): Ipv4Range {
  return parseAllowEntry(text) as Ipv4Range;
}
