import { describe, expect, it } from "vitest";
import { allowsName, containsRange, describeAllowProblem, formatIpv4, parseAllowEntry, parseIpv4, rangesOverlap, type Ipv4Range } from "./network.ts";

const range = (text: string): Ipv4Range => parseAllowEntry(text) as Ipv4Range;

describe("entries that are right", () => {
  it.each([
    ["10.0.0.0/8", { kind: "ipv4", address: 0x0a000000, prefix: 8 }],
    ["0.0.0.0/0", { kind: "ipv4", address: 0, prefix: 0 }],
    ["255.255.255.255", { kind: "ipv4", address: 0xffffffff, prefix: 32 }],
    ["169.254.169.254", { kind: "ipv4", address: 0xa9fea9fe, prefix: 32 }],
    ["2001:DB8::/32", { kind: "ipv6", range: "2001:db8::/32" }],
    ["::/0", { kind: "ipv6", range: "::/0" }],
    ["::1", { kind: "ipv6", range: "::1/128" }],
    ["example.com", { kind: "domain", name: "example.com", below: false }],
    ["Example.COM.", { kind: "domain", name: "example.com", below: false }],
    ["*.example.com", { kind: "domain", name: "example.com", below: true }],
    ["*.com", { kind: "domain", name: "com", below: true }],
    ["postgres", { kind: "domain", name: "postgres", below: false }],
    ["_dmarc.example.com", { kind: "domain", name: "_dmarc.example.com", below: false }],
    ["1.example.com", { kind: "domain", name: "1.example.com", below: false }],
    ["xn--bcher-kva.example", { kind: "domain", name: "xn--bcher-kva.example", below: false }],
  ])("%s", (entry, read) => {
    expect(describeAllowProblem(entry)).toBeUndefined();
    expect(parseAllowEntry(entry)).toEqual(read);
  });
});

describe("entries that are wrong say how to mend them", () => {
  it.each([
    [7, "Entries are strings, but one is a number"],
    [null, "Entries are strings, but one is null"],
    ["", 'An entry is empty: give a CIDR ("10.0.0.0/8") or a domain ("example.com")'],
    ["a.example, b.example", '"a.example, b.example" has a space in it: give each CIDR and domain an entry of its own'],
    ["https://example.com/v1", 'https://example.com/v1 is a URL: give its host alone, "example.com"'],
    ["://", ":// is a URL: give its host alone"],
    ["10.0.0.1/8", '10.0.0.1/8 has bits set after its prefix: write "10.0.0.0/8", or "10.0.0.1" for the one address'],
    ["10.0.0.0/33", "10.0.0.0/33 has no prefix length from 0 to 32 after its slash"],
    ["10.0.0.0/", "10.0.0.0/ has no prefix length from 0 to 32 after its slash"],
    ["10.0.0.0/08", "10.0.0.0/08 has no prefix length from 0 to 32 after its slash"],
    ["10.0.0", "10.0.0 is not an IPv4 address: it has four numbers from 0 to 255, without leading zeros"],
    ["300.1.1.1", "300.1.1.1 is not an IPv4 address: it has four numbers from 0 to 255, without leading zeros"],
    ["010.0.0.1", "010.0.0.1 is not an IPv4 address: it has four numbers from 0 to 255, without leading zeros"],
    ["127.0.0.1", "127.0.0.1 is the container itself: loopback needs no entry, and the machine's own can't be reached through it"],
    ["localhost", "localhost is the container itself: loopback needs no entry, and the machine's own can't be reached through it"],
    ["2001:db8::/129", "2001:db8::/129 has no prefix length from 0 to 128 after its slash"],
    ["2001:db8:::1", "2001:db8:::1 is not an IPv6 address"],
    ["[2001:db8::1]:443", "[2001:db8::1]:443 has brackets: an IPv6 address stands without them"],
    ["example.com:443", 'example.com:443 names a port: a host is allowed with all its ports, so give "example.com"'],
    ["example.com/v1", "example.com/v1 is neither a CIDR nor a domain: paths can't be allowed, only whole hosts"],
    ["*", '* is no domain: give "0.0.0.0/0" to reach every address, or the domains that are needed'],
    ["a.*.example.com", 'a.*.example.com has a * where it means nothing: only the first label may be one, as in "*.example.com"'],
    ["*example.com", '*example.com has a * where it means nothing: only the first label may be one, as in "*.example.com"'],
    ["bücher.example", 'bücher.example has letters outside of ASCII: give the form that DNS knows, "xn--bcher-kva.example"'],
    ["*.bücher.example", '*.bücher.example has letters outside of ASCII: give the form that DNS knows, "*.xn--bcher-kva.example"'],
    ["a..example", "a..example is neither a CIDR nor a domain: it has an empty label"],
    ["*.", "*. is neither a CIDR nor a domain: it has an empty label"],
    ["-a.example", '-a.example is neither a CIDR nor a domain: its label "-a" is not 1 to 63 letters, digits and hyphens inside'],
    ["a{b}.example", 'a{b}.example is neither a CIDR nor a domain: its label "a{b}" is not 1 to 63 letters, digits and hyphens inside'],
    ["example.5", "example.5 is neither a CIDR nor a domain: a domain's last label is not a number"],
    [`${"a.".repeat(130)}com`, "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.… is longer than the 253 characters that a domain may have"],
  ])("%s", (entry, problem) => {
    expect(describeAllowProblem(entry)).toBe(problem);
  });

  it("and can't be parsed", () => {
    expect(() => parseAllowEntry("*")).toThrow("* is no domain");
  });
});

it.each([
  ["example.com", "example.com", true],
  ["example.com", "www.example.com", false],
  ["*.example.com", "www.example.com", true],
  ["*.example.com", "a.b.example.com", true],
  ["*.example.com", "example.com", false],
  ["*.example.com", "notexample.com", false],
  ["example.com", "notexample.com", false],
  ["10.0.0.0/8", "10.0.0.0/8", false],
])("%s and the name %s: %s", (entry, name, allowed) => {
  expect(allowsName(parseAllowEntry(entry), name)).toBe(allowed);
});

it.each([
  ["10.0.0.0/8", "10.1.0.0/16", true, true],
  ["10.1.0.0/16", "10.0.0.0/8", false, true],
  ["10.0.0.0/8", "10.0.0.0/8", true, true],
  ["10.0.0.0/9", "10.128.0.0/9", false, false],
  ["0.0.0.0/0", "255.255.255.255", true, true],
  ["192.168.0.0/16", "10.0.0.0/8", false, false],
])("%s contains %s: %s; they overlap: %s", (outer, inner, contains, overlap) => {
  expect(containsRange(range(outer), range(inner))).toBe(contains);
  expect(rangesOverlap(range(outer), range(inner))).toBe(overlap);
});

it("reads and writes addresses", () => {
  for (const text of ["0.0.0.0", "10.1.2.3", "255.255.255.255"]) expect(formatIpv4(parseIpv4(text)!)).toBe(text);
  for (const text of ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.x", "1e1.0.0.0"]) expect(parseIpv4(text)).toBeNull();
});
