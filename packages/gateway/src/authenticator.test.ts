import { expect, test } from "vitest";
import { hashToken } from "@samovar/kit";
import type { TokenRecord } from "@samovar/storage";
import { createAuthenticator, hasScope } from "./authenticator.ts";

const record = (id: string, token: string): TokenRecord => ({
  id,
  hash: hashToken(token),
  name: id,
  scopes: ["invoke"],
  app: null,
  expiresAtMs: null,
  createdAtMs: 0,
});

test("a bearer token finds its principal, also the second time, and nobody else's", () => {
  const authenticator = createAuthenticator([record("to_1", "one"), record("to_2", "two")]);
  for (const _ of [1, 2]) {
    expect(authenticator.authenticate("Bearer two")).toMatchObject({ tokenId: "to_2", name: "to_2" });
    expect(authenticator.authenticate("bearer   one ")?.tokenId).toBe("to_1");
    for (const header of [undefined, "", "Bearer", "Bearer ", "Bearer three", "Basic one", "Bearer one two", `Bearer ${"x".repeat(2_000)}`])
      expect(authenticator.authenticate(header)).toBeUndefined();
  }
});

test("a token that is removed is nobody's at once, although it was in use; one that is added is known at once", () => {
  const authenticator = createAuthenticator([record("to_1", "one")]);
  expect(authenticator.authenticate("Bearer one")).toBeDefined();
  authenticator.remove("to_1");
  expect(authenticator.authenticate("Bearer one")).toBeUndefined();
  authenticator.add(record("to_3", "three"));
  expect(authenticator.authenticate("Bearer three")?.tokenId).toBe("to_3");
});

test("more tokens than the cache holds are all known", () => {
  const tokens = Array.from({ length: 1_100 }, (_, i) => record(`to_${i}`, `token-${i}`));
  const authenticator = createAuthenticator(tokens);
  for (const [i] of tokens.entries()) expect(authenticator.authenticate(`Bearer token-${i}`)?.tokenId).toBe(`to_${i}`);
  expect(authenticator.authenticate("Bearer token-0")?.tokenId).toBe("to_0");
});

test("a record without a SHA-256 is refused, and scopes are any of those asked for", () => {
  expect(() => createAuthenticator([{ ...record("to_1", "one"), hash: "abc" }])).toThrow(/to_1 has no SHA-256/);
  const principal = createAuthenticator([record("to_1", "one")]).authenticate("Bearer one")!;
  expect([hasScope(principal, "admin"), hasScope(principal, "admin", "invoke")]).toEqual([false, true]);
});
