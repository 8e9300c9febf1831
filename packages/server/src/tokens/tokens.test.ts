import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthenticator, type Authenticator } from "@samovar/gateway";
import { FakeClock, hashToken, silentLogger } from "@samovar/kit";
import { createCountingIds, type TokenRequest } from "@samovar/protocol";
import { openSqliteStorage, type SqliteStorage, type TokenStore } from "@samovar/storage";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ensureAdminToken } from "../home/admin-token.ts";
import { Tokens } from "./tokens.ts";

let folder: string;
let storage: SqliteStorage;
let clock: FakeClock;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "samovar-tokens-"));
  clock = new FakeClock(1_000);
  storage = await openStorage();
});
afterEach(async () => {
  await storage.close();
  await rm(folder, { recursive: true, maxRetries: 5 });
});

const openStorage = (): Promise<SqliteStorage> => openSqliteStorage({ file: join(folder, "samovar.db"), logger: silentLogger, clock });

interface Opened {
  readonly tokens: Tokens;
  readonly authenticator: Authenticator;
  readonly adminToken: string;
  may(token: string): string | undefined;
}

/** As a server that starts on this home would. */
async function open(ids = createCountingIds(), store: (store: TokenStore) => TokenStore = (same) => same): Promise<Opened> {
  const { token: adminToken, records } = await ensureAdminToken(join(folder, "admin-token"), storage, ids, clock);
  const authenticator = createAuthenticator(records, clock);
  const tokens = new Tokens({ store: store(storage.tokens), records, authenticator, ids, clock, ownToken: adminToken });
  return { tokens, authenticator, adminToken, may: (token) => authenticator.authenticate(`Bearer ${token}`)?.name };
}

const CI: TokenRequest = { name: "ci", scopes: ["invoke", "deploy", "invoke"], app: "text", expiresInMs: 500 };

test("a token is shown once, known at once and after a restart, and only its hash is kept", async () => {
  const { tokens, may, authenticator } = await open();
  const { token, ...info } = await tokens.create(CI);
  expect(token).toMatch(/^smv_[\w-]{32}$/);
  expect(info).toEqual({ id: info.id, name: "ci", scopes: ["deploy", "invoke"], app: "text", createdAtMs: 1_000, expiresAtMs: 1_500 });
  expect(authenticator.authenticate(`Bearer ${token}`)).toEqual({
    kind: "token",
    tokenId: info.id,
    name: "ci",
    scopes: new Set(["deploy", "invoke"]),
    app: "text",
  });
  const listed = await tokens.list();
  expect(listed).toEqual([expect.objectContaining({ name: "admin" }), info]);
  expect(JSON.stringify(listed)).not.toContain(hashToken(token));
  expect(JSON.stringify(await storage.tokens.list())).not.toContain(token);
  expect(may(token)).toBe("ci");

  await storage.close();
  storage = await openStorage();
  const later = await open();
  expect(later.may(token)).toBe("ci");
  expect(await later.tokens.list()).toEqual(listed);
  clock.advance(500);
  expect(later.may(token)).toBeUndefined();
  expect(await later.tokens.list()).toEqual(listed);
});

describe("what a token can't be", () => {
  const cases: readonly (readonly [string, Partial<Record<keyof TokenRequest, unknown>>, RegExp])[] = [
    ["a name with a space", { name: "my laptop" }, /"my laptop" is not a name/],
    ["no name", { name: "" }, /"" is not a name/],
    ["a name like an id", { name: "TO_1" }, /"TO_1".*ids begin with to_/],
    ["no scope", { scopes: [] }, /without a scope/],
    ["a scope that is none", { scopes: ["invoke", "root"] }, /"root" is not a scope: use admin, deploy, invoke/],
    ["an admin of one app", { scopes: ["admin"], app: "text" }, /leave out app "text"/],
    ["for an app that can't be", { app: "../x" }, /"\.\.\/x" is not a name/],
    ["expired already", { expiresInMs: 0 }, /expiresInMs is 0/],
    ["ending at half a millisecond", { expiresInMs: 1.5 }, /expiresInMs is 1.5/],
    ["ending after all", { expiresInMs: 1e300 }, /at most 100 years/],
  ];
  test.each(cases)("%s", async (_, changes, message) => {
    const { tokens } = await open();
    await expect(tokens.create({ name: "ci", scopes: ["invoke"], ...changes } as TokenRequest)).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringMatching(message) as string,
    });
    expect(await storage.tokens.list()).toHaveLength(1);
  });
});

test("a name is one token's, whatever its case and however close together they are asked for", async () => {
  const { tokens } = await open();
  const taken = { code: "conflict", message: expect.stringMatching(/^A token is named "CI" already/) as string };
  const [first, second] = await Promise.allSettled([tokens.create(CI), tokens.create({ ...CI, name: "CI" })]);
  expect(first.status).toBe("fulfilled");
  expect(second).toMatchObject({ status: "rejected", reason: taken });
  await expect(tokens.create({ ...CI, name: "CI" })).rejects.toMatchObject(taken);
  await tokens.revoke("ci");
  expect(await tokens.create({ ...CI, name: "CI" })).toMatchObject({ name: "CI" });
});

test("a revoked token is nobody's at once, by id or by name, and stays so", async () => {
  const { tokens, may } = await open();
  const [one, two] = [await tokens.create({ ...CI, name: "one" }), await tokens.create({ ...CI, name: "two" })];
  const revoking = tokens.revoke("ONE");
  expect(may(one.token)).toBeUndefined();
  expect(await revoking).toBe(true);
  expect(await tokens.revoke(two.id)).toBe(true);
  expect([await tokens.revoke("one"), await tokens.revoke(two.id), await tokens.revoke("nobody")]).toEqual([false, false, false]);
  expect((await tokens.list()).map(({ name }) => name)).toEqual(["admin"]);
  expect(await storage.tokens.list()).toHaveLength(1);
});

test("the token of the home's file is not revoked by accident; one that it had before can be", async () => {
  const ids = createCountingIds();
  const before = await open(ids);
  const [old] = await before.tokens.list();
  const refused = { code: "conflict", message: expect.stringContaining("admin-token file") as string };
  await expect(before.tokens.revoke("admin")).rejects.toMatchObject(refused);
  await expect(before.tokens.revoke(old!.id)).rejects.toMatchObject(refused);
  expect(before.may(before.adminToken)).toBe("admin");

  await rm(join(folder, "admin-token"));
  const after = await open(ids);
  await expect(after.tokens.revoke("admin")).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining(`one of ${old!.id}, `) as string });
  expect(await after.tokens.revoke(old!.id)).toBe(true);
  expect([after.may(before.adminToken), after.may(after.adminToken)]).toEqual([undefined, "admin"]);
});

test("what can't be stored lets nobody in, and what can't be removed keeps nobody in", async () => {
  const failure = new Error("disk full");
  let failing = true;
  const { tokens, may } = await open(createCountingIds(), (store) => ({
    insert: (record) => (failing ? Promise.reject(failure) : store.insert(record)),
    delete: (id) => (failing ? Promise.reject(failure) : store.delete(id)),
    list: () => store.list(),
  }));
  await expect(tokens.create(CI)).rejects.toBe(failure);
  expect((await tokens.list()).map(({ name }) => name)).toEqual(["admin"]);
  failing = false;
  const { token } = await tokens.create(CI);
  failing = true;
  await expect(tokens.revoke("ci")).rejects.toBe(failure);
  expect(may(token)).toBeUndefined();
  failing = false;
  expect(await tokens.revoke("ci")).toBe(true);
  expect(await storage.tokens.list()).toHaveLength(1);
});
