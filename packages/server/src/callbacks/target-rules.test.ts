import { describe, expect, test } from "vitest";
import { createTargetRules, describeTargetProblem, judgeAddress, judgeName } from "./target-rules.ts";

const whatIs = (address: string, allow: readonly string[] = [], deny: readonly string[] = []): string => {
  const judged = judgeAddress(createTargetRules(allow, deny), address);
  return judged === undefined ? "fine" : judged.verdict === "open" ? "open" : judged.what;
};

describe("by default", () => {
  test.each([
    ["8.8.8.8", "fine"],
    ["10.0.0.1", "fine"],
    ["192.168.1.1", "fine"],
    ["127.0.0.1", "fine"],
    ["::1", "fine"],
    ["fd12:3456::1", "fine"],
    ["0.0.0.0", "an unspecified address"],
    ["0.1.2.3", "an unspecified address"],
    ["::", "an unspecified address"],
    ["169.254.1.1", "a link-local address"],
    ["fe80::1", "a link-local address"],
    ["fe80::1%eth0", "a link-local address"],
    ["169.254.169.254", "a metadata address of a cloud"],
    ["::ffff:169.254.169.254", "a metadata address of a cloud"],
    ["64:ff9b::169.254.169.254", "a metadata address of a cloud"],
    ["2002:a9fe:a9fe::", "a metadata address of a cloud"],
    ["fd00:ec2::254", "a metadata address of a cloud"],
    ["100.100.100.200", "a metadata address of a cloud"],
    ["168.63.129.16", "a metadata address of a cloud"],
    ["224.0.0.1", "a multicast address"],
    ["ff02::1", "a multicast address"],
    ["255.255.255.255", "a broadcast address"],
    ["240.0.0.1", "a reserved address"],
    ["localhost", "no address that can be read"],
  ])("%s is %s", (address, what) => {
    expect(whatIs(address)).toBe(what);
  });
});

describe("of the operator's entries and ours the narrowest decides", () => {
  const DENIED = "closed by SAMOVAR_CALLBACK_DENY";
  test.each([
    ["169.254.169.254", ["169.254.169.254"], [], "open"],
    ["169.254.169.254", ["169.254.0.0/16"], [], "a metadata address of a cloud"],
    ["169.254.1.1", ["169.254.0.0/16"], [], "open"],
    ["169.254.1.1", ["0.0.0.0/0"], [], "a link-local address"],
    ["64:ff9b::a9fe:a9fe", ["169.254.169.254"], [], "fine"],
    ["64:ff9b::a9fe:a9fe", ["64:ff9b::/96"], [], "open"],
    ["10.1.2.3", [], ["10.0.0.0/8"], DENIED],
    ["11.1.2.3", [], ["10.0.0.0/8"], "fine"],
    ["10.1.2.3", ["10.1.0.0/16"], ["10.0.0.0/8"], "open"],
    ["10.1.2.3", ["10.0.0.0/8"], ["10.1.0.0/16"], DENIED],
    ["10.1.2.3", ["10.0.0.0/8"], ["10.0.0.0/8"], DENIED],
    ["10.1.2.3", ["10.1.2.3"], ["0.0.0.0/0", "::/0"], "open"],
    ["2606:4700::1111", ["10.1.2.3"], ["0.0.0.0/0", "::/0"], DENIED],
  ])("%s with allow %j, deny %j: %s", (address, allow, deny, what) => {
    expect(whatIs(address, allow, deny)).toBe(what);
  });
});

test.each([
  ["hooks.example.com", ["hooks.example.com"], [], "open"],
  ["HOOKS.example.com.", ["hooks.example.com"], [], "open"],
  ["hooks.example.com", [], ["*.example.com"], "closed"],
  ["hooks.example.com", ["hooks.example.com"], ["*.example.com"], "open"],
  ["hooks.example.com", ["*.example.com"], ["hooks.example.com"], "closed"],
  ["a.hooks.example.com", ["*.hooks.example.com"], ["*.example.com"], "open"],
  ["hooks.example.com", ["hooks.example.com"], ["hooks.example.com"], "closed"],
  ["localhost", ["localhost"], [], "open"],
  ["other.example", ["hooks.example.com"], [], undefined],
])("the name %s with allow %j, deny %j: %s", (name, allow, deny, expected) => {
  expect(judgeName(createTargetRules(allow, deny), name)).toBe(expected);
});

test("an entry that is wrong says how to mend it", () => {
  for (const good of ["127.0.0.1", "127.0.0.0/8", "::1", "localhost", "*.example.com"]) expect(describeTargetProblem(good)).toBeUndefined();
  expect(describeTargetProblem("10.0.0.1/8")).toContain('write "10.0.0.0/8"');
  expect(describeTargetProblem("https://example.com/x")).toContain("is a URL");
  expect(describeTargetProblem("127.0.0.1/8")).toContain("127.0.0.0/8");
});
