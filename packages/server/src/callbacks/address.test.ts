import { describe, expect, test } from "vitest";
import { carriedIpv4, contains, parseAddress, parseRange } from "./address.ts";

describe("addresses are numbers, whatever their spelling", () => {
  test.each([
    ["127.0.0.1", 4, 0x7f000001n],
    ["::ffff:127.0.0.1", 4, 0x7f000001n],
    ["::FFFF:7f00:1", 4, 0x7f000001n],
    ["0:0:0:0:0:ffff:127.0.0.1", 4, 0x7f000001n],
    ["::1", 6, 1n],
    ["::", 6, 0n],
    ["fe80::1%eth0", 6, 0xfe80_0000_0000_0000_0000_0000_0000_0001n],
    ["1:2:3:4:5:6:7:8", 6, 0x0001_0002_0003_0004_0005_0006_0007_0008n],
    ["1::8", 6, 0x0001_0000_0000_0000_0000_0000_0000_0008n],
    ["1:2:3:4:5:6:7::", 6, 0x0001_0002_0003_0004_0005_0006_0007_0000n],
  ])("%s", (text, family, value) => {
    expect(parseAddress(text)).toEqual({ family, value });
  });

  test.each(["", "localhost", "1.2.3", "0x7f.1", "01.2.3.4", ":::", "[::1]", "1.2.3.4/8"])("%j is none", (text) => {
    expect(parseAddress(text)).toBeNull();
  });
});

test.each([
  ["10.0.0.0/8", "10.255.0.1", true],
  ["10.0.0.0/8", "11.0.0.0", false],
  ["0.0.0.0/0", "8.8.8.8", true],
  ["::/0", "8.8.8.8", false],
  ["0.0.0.0/0", "::1", false],
  ["fe80::/10", "febf::1", true],
  ["fe80::/10", "fec0::1", false],
  ["169.254.169.254", "::ffff:169.254.169.254", true],
])("%s has %s: %s", (range, address, expected) => {
  expect(contains(parseRange(range)!, parseAddress(address)!)).toBe(expected);
});

test.each(["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/8/8", "fe80::1/10", "example.com", ""])("%j is no range", (text) => {
  expect(parseRange(text)).toBeNull();
});

test.each([
  ["64:ff9b::169.254.169.254", ["169.254.169.254"]],
  ["64:ff9b:1::a9fe:a9fe", ["169.254.169.254"]],
  ["2002:a9fe:a9fe::1", ["169.254.169.254"]],
  ["2001:0:53aa:64c:0:fbfe:5601:5601", ["169.254.169.254"]],
  ["::169.254.169.254", ["169.254.169.254"]],
  ["2606:4700::1111", []],
  ["::1", []],
  ["10.0.0.1", []],
])("%s leads to %j as well", (text, expected) => {
  expect(carriedIpv4(parseAddress(text)!)).toEqual(expected.map((each) => parseAddress(each)));
});
