import { describe, expect, test } from "vitest";
import { Hosts, hostLabel, parseHost } from "./host.ts";

const HOSTS = ["samovar.example", "api.samovar.example"];

describe("parseHost", () => {
  test.each([
    ["localhost", { kind: "server", name: "localhost", loopback: true }],
    ["LocalHost.:8700", { kind: "server", name: "localhost", loopback: true }],
    ["127.0.0.1:8700", { kind: "server", name: "127.0.0.1", loopback: true }],
    ["[::1]:8700", { kind: "server", name: "[::1]", loopback: true }],
    ["10.0.0.9", { kind: "server", name: "10.0.0.9", loopback: false }],
    ["[2001:DB8::1]", { kind: "server", name: "[2001:db8::1]", loopback: false }],
    ["samovar.example:443", { kind: "server", name: "samovar.example", loopback: false }],
    ["predict.localhost:8700", { kind: "function", label: "predict", name: "predict.localhost" }],
    ["predict--3.samovar.example", { kind: "function", label: "predict--3", name: "predict--3.samovar.example" }],
    ["api.samovar.example", { kind: "server", name: "api.samovar.example", loopback: false }],
    ["x.api.samovar.example", { kind: "function", label: "x", name: "x.api.samovar.example" }],
    ["a.b.localhost", { kind: "function", label: "a.b", name: "a.b.localhost" }],
    ["evil.example", { kind: "foreign", name: "evil.example" }],
    ["localhost.evil.example", { kind: "foreign", name: "localhost.evil.example" }],
    ["127.0.0.1.evil.example", { kind: "foreign", name: "127.0.0.1.evil.example" }],
    ["evilsamovar.example", { kind: "foreign", name: "evilsamovar.example" }],
    ["2130706433", { kind: "foreign", name: "2130706433" }],
    ["127.1", { kind: "foreign", name: "127.1" }],
  ])("%s", (header, host) => {
    expect(parseHost(header, HOSTS)).toEqual(host);
  });

  test.each(["", ":8700", ".", "a..b", ".localhost", "a b", "a/b", "a@b", "a\u00e4", "[::1", "[1]", "[::1]x", "localhost:x", "x".repeat(256)])(
    "%j is no host",
    (header) => {
      expect(parseHost(header, HOSTS)).toBeUndefined();
    },
  );
});

test("a host's label is the function's name in lower case, with - for _", () => {
  expect(hostLabel("My_Api-2")).toBe("my-api-2");
});

test("what is read is kept, and not without end", () => {
  const hosts = new Hosts([]);
  const read = (host: string): unknown => hosts.read(["Host", host]);
  expect(read("localhost:1")).toBe(read("localhost:1"));
  for (let i = 0; i < 1_000; i++) expect(read(`n${i}.example`)).toEqual({ kind: "foreign", name: `n${i}.example` });
  hosts.add("n1.example");
  expect(read("n1.example")).toMatchObject({ kind: "server" });
});
