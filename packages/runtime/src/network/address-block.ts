import { parseIpv4, rangesOverlap, type Ipv4Range } from "@samovar/protocol";

/** A server's containers get their addresses from one block of this size: 4,093 of them. */
const BLOCK_PREFIX = 20;
const BLOCK_SIZE = 2 ** (32 - BLOCK_PREFIX);

/** Kept for measuring devices (RFC 2544), so hardly anybody has it in use; private ranges are used by everyone. */
export const DEFAULT_RANGE = "198.18.0.0/15";

/** Addresses for containers at most: without the block's first and last address, and the gateway's. */
export const BLOCK_CAPACITY = BLOCK_SIZE - 3;

/**
 * The blocks of `range` that meet none of `taken`, beginning at one that `seed` chooses: a server gets the same one
 * again as long as it is free, and two servers begin at different ones.
 */
export function listFreeBlocks(range: Ipv4Range, taken: readonly Ipv4Range[], seed: number): Ipv4Range[] {
  const count = Math.floor(2 ** (32 - range.prefix) / BLOCK_SIZE);
  const blocks = Array.from({ length: count }, (_, index): Ipv4Range => {
    const at = (index + (seed % count)) % count;
    return { kind: "ipv4", address: range.address + at * BLOCK_SIZE, prefix: BLOCK_PREFIX };
  });
  return blocks.filter((block) => !taken.some((other) => rangesOverlap(block, other)));
}

/** What this host's routes and addresses take, from the answers of `ip -json`. The default route takes nothing. */
export function listTaken(routes: readonly unknown[], links: readonly unknown[]): Ipv4Range[] {
  const destinations = routes.map((route) => textOf(route, "dst"));
  const addresses = links.flatMap((link) => {
    const infos = (link as { addr_info?: unknown }).addr_info;
    return Array.isArray(infos) ? infos.map((info: unknown) => textOf(info, "local")) : [];
  });
  return [...destinations, ...addresses].flatMap((text) => {
    const [address, prefix] = text.split("/");
    const parsed = parseIpv4(address!);
    return parsed === null ? [] : [{ kind: "ipv4", address: parsed, prefix: prefix === undefined ? 32 : Number(prefix) }];
  });
}

export function gatewayOf(block: Ipv4Range): number {
  return block.address + 1;
}

/** From index 0 on. */
export function containerAddress(block: Ipv4Range, index: number): number {
  return block.address + 2 + index;
}

function textOf(value: unknown, key: string): string {
  const text = (value as Record<string, unknown> | null)?.[key];
  return typeof text === "string" ? text : "";
}
