import { expect, test } from "vitest";
import { FakeClock, hashToken } from "@samovar/kit";
import type { TokenRecord } from "@samovar/storage";
import { assertApp, createAuthenticator, hasScope, mayTouch } from "./authenticator.ts";

const record = (id: string, token: string, changes: Partial<TokenRecord> = {}): TokenRecord => ({
  id,
  hash: hashToken(token),
  name: id,
  scopes: ["invoke"],
  app: null,
  expiresAtMs: null,
  createdAtMs: 0,
  ...changes,
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

test("a token is worth nothing from the moment it expires, although it was in use before", () => {
  const clock = new FakeClock(1_000);
  const authenticator = createAuthenticator([record("to_1", "one", { expiresAtMs: 2_000 }), record("to_2", "two")], clock);
  const headers = { "sec-websocket-protocol": "samovar.bearer.one" };
  expect([authenticator.authenticate("Bearer one")?.tokenId, authenticator.authenticateUpgrade(headers)?.tokenId]).toEqual(["to_1", "to_1"]);
  clock.advance(999);
  expect(authenticator.authenticate("Bearer one")).toBeDefined();
  clock.advance(1);
  expect([authenticator.authenticate("Bearer one"), authenticator.authenticateUpgrade(headers)]).toEqual([undefined, undefined]);
  expect(authenticator.authenticate("Bearer two")).toBeDefined();
});

test("a container's own token invokes within its app and dies with the container", () => {
  const authenticator = createAuthenticator([record("to_1", "one")]);
  authenticator.addContainer("ct_1", hashToken("mine"), "text");
  const principal = authenticator.authenticate("Bearer mine")!;
  expect(principal).toEqual({ kind: "container", tokenId: "ct_1", name: "container ct_1", scopes: new Set(["invoke"]), app: "text" });
  expect([mayTouch(principal, "text"), mayTouch(principal, "other")]).toEqual([true, false]);
  authenticator.removeContainer("ct_1");
  authenticator.removeContainer("ct_1");
  expect(authenticator.authenticate("Bearer mine")).toBeUndefined();
  expect(authenticator.authenticate("Bearer one")).toMatchObject({ kind: "token", app: null });
});

test("thousands of containers come and go, and no token but theirs is forgotten", () => {
  const authenticator = createAuthenticator([record("to_1", "one")]);
  for (let i = 0; i < 5_000; i++) authenticator.addContainer(`ct_${i}`, hashToken(`token-${i}`), "text");
  expect(authenticator.authenticate("Bearer token-4999")?.tokenId).toBe("ct_4999");
  for (let i = 0; i < 5_000; i++) authenticator.removeContainer(`ct_${i}`);
  expect([authenticator.authenticate("Bearer token-4999"), authenticator.authenticate("Bearer one")?.tokenId]).toEqual([undefined, "to_1"]);
});

test("ids of tokens and of containers don't meet", () => {
  const authenticator = createAuthenticator([record("same", "one")]);
  authenticator.addContainer("same", hashToken("two"), "text");
  authenticator.remove("same");
  expect([authenticator.authenticate("Bearer one"), authenticator.authenticate("Bearer two")?.kind]).toEqual([undefined, "container"]);
});

test("a WebSocket may bring its token as a subprotocol, among others; a header that is there counts alone", () => {
  const authenticator = createAuthenticator([record("to_1", "one"), record("to_2", "two")]);
  const who = (authorization: string | undefined, offered: string | undefined) =>
    authenticator.authenticateUpgrade({
      ...(authorization === undefined ? {} : { authorization }),
      ...(offered === undefined ? {} : { "sec-websocket-protocol": offered }),
    })?.tokenId;
  expect(who(undefined, "samovar.bearer.one")).toBe("to_1");
  expect(who(undefined, "chat, samovar.bearer.two ,other")).toBe("to_2");
  expect(who("Bearer one", "samovar.bearer.two")).toBe("to_1");
  expect(who("Bearer nobody", "samovar.bearer.two")).toBeUndefined();
  for (const offered of [undefined, "", "chat", "samovar.bearer.", "samovar.bearer.nobody", `samovar.bearer.${"x".repeat(2_000)}`])
    expect(who(undefined, offered)).toBeUndefined();
});

test("what belongs to another app than the token's is refused with both named", () => {
  const authenticator = createAuthenticator([record("to_1", "one", { app: "text", name: "ci" }), record("to_2", "two")]);
  const restricted = authenticator.authenticate("Bearer one")!;
  expect(() => assertApp(restricted, "other", 'The deployment "predict"')).toThrow(
    'The deployment "predict" belongs to the app "other", and the token "ci" is for the app "text" only',
  );
  expect(() => assertApp(restricted, "text", "It")).not.toThrow();
  expect(() => assertApp(authenticator.authenticate("Bearer two")!, "other", "It")).not.toThrow();
});
