import { formatIpv4Range, parseIpv4 } from "@samovar/protocol";
import { expect, it } from "vitest";
import { mayGrant, mayResolve, opens, toAllowList } from "./allow-list.ts";

const address = (text: string): number => parseIpv4(text)!;

it("ranges in wider ones are left out, and link-local ones are kept apart", () => {
  const list = toAllowList(["10.1.0.0/16", "10.0.0.0/8", "0.0.0.0/0", "169.254.169.254", "169.254.169.254/32", "169.254.169.0/24"]);
  expect(list.ranges.map(formatIpv4Range)).toEqual(["0.0.0.0/0"]);
  expect(list.linkLocal.map(formatIpv4Range)).toEqual(["169.254.169.0/24"]);
  expect(toAllowList(["10.0.0.0/8", "198.51.100.10", "10.2.3.4"]).ranges.map(formatIpv4Range)).toEqual(["10.0.0.0/8", "198.51.100.10/32"]);
  expect(toAllowList(["169.0.0.0/8"]).linkLocal).toEqual([]);
});

it("IPv6 ranges are told apart", () => {
  expect(toAllowList(["2001:DB8::/32"])).toEqual({ ranges: [], linkLocal: [], domains: [], ipv6: ["2001:db8::/32"] });
});

it.each([
  [["example.com"], "example.com", [], true],
  [["example.com"], "www.example.com", [], false],
  [["*.example.com"], "a.b.example.com", [], true],
  [["10.0.0.0/8"], "example.com", ["10.0.0.53"], true],
  [["10.0.0.0/8"], "example.com", ["192.0.2.53"], false],
  [["0.0.0.0/0"], "example.com", ["127.0.0.53"], true],
  [["0.0.0.0/0"], "example.com", [], false],
  [[], "example.com", ["10.0.0.53"], false],
])("%j lets %s be resolved with resolvers %j: %s", (allow, name, resolvers, answered) => {
  expect(mayResolve(toAllowList(allow), name, resolvers.map(address))).toBe(answered);
});

it.each([
  "0.0.0.0",
  "10.9.9.9",
  "100.64.0.1",
  "127.0.0.1",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.1",
  "198.18.0.2",
  "224.0.0.1",
  "240.0.0.1",
  "255.255.255.255",
])("no name opens %s", (text) => expect(mayGrant(address(text))).toBe(false));
it.each(["1.1.1.1", "9.255.255.255", "172.15.0.1", "172.32.0.1", "198.51.100.10", "223.255.255.255"])("a name may open %s", (text) =>
  expect(mayGrant(address(text))).toBe(true),
);

it("an address is open by the range that has it", () => {
  expect(opens(toAllowList(["10.0.0.0/8"]), address("10.255.0.1"))).toBe(true);
  expect(opens(toAllowList(["10.0.0.0/8", "example.com"]), address("11.0.0.1"))).toBe(false);
});
