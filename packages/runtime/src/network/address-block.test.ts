import { formatIpv4, formatIpv4Range, parseAllowEntry, type Ipv4Range } from "@samovar/protocol";
import { expect, it } from "vitest";
import { DEFAULT_RANGE, containerAddress, gatewayOf, listFreeBlocks, listTaken } from "./address-block.ts";

const range = (text: string): Ipv4Range => parseAllowEntry(text) as Ipv4Range;
const free = (taken: readonly string[], seed: number): string[] => listFreeBlocks(range(DEFAULT_RANGE), taken.map(range), seed).map(formatIpv4Range);

it("a home begins at a block of its own, and goes round", () => {
  expect(free([], 0)).toHaveLength(32);
  expect(free([], 31).slice(0, 2)).toEqual(["198.19.240.0/20", "198.18.0.0/20"]);
  expect(free([], 33)[0]).toBe("198.18.16.0/20");
});

it("blocks that a route or an address meets are left out", () => {
  expect(free(["198.18.0.0/16"], 0)[0]).toBe("198.19.0.0/20");
  expect(free(["198.18.1.7"], 0)[0]).toBe("198.18.16.0/20");
  expect(free(["198.0.0.0/8"], 0)).toEqual([]);
});

it("a range that is smaller than a block has none", () => {
  expect(listFreeBlocks(range("10.0.0.0/24"), [], 7)).toEqual([]);
  expect(listFreeBlocks(range("10.0.16.0/20"), [], 7).map(formatIpv4Range)).toEqual(["10.0.16.0/20"]);
});

it("routes and addresses are read from what ip prints, and the default route takes nothing", () => {
  const taken = listTaken(
    [{ dst: "default" }, { dst: "10.0.0.0/8" }, { type: "local", dst: "192.0.2.2" }, { dst: "fd00::/64" }, null],
    [{ ifname: "lo", addr_info: [{ local: "127.0.0.1", prefixlen: 8 }, { local: "::1" }] }, { ifname: "eth0" }],
  );
  expect(taken.map(formatIpv4Range)).toEqual(["10.0.0.0/8", "192.0.2.2/32", "127.0.0.1/32"]);
});

it("the gateway has a block's first address and containers the next ones", () => {
  expect(formatIpv4(gatewayOf(range("198.18.16.0/20")))).toBe("198.18.16.1");
  expect(formatIpv4(containerAddress(range("198.18.16.0/20"), 254))).toBe("198.18.17.0");
});
