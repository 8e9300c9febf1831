import { afterEach, describe, expect, test } from "vitest";
import { hashToken } from "@samovar/kit";
import { INLINE_BODY_BYTES } from "@samovar/protocol";
import { createAuthenticator } from "./authenticator.ts";
import { ADMIN_TOKEN, FakeFunction, TOKENS, createFakeTable, type FakeFunctionOptions, type FakeTable } from "./fakes.fixture.ts";
import { RawClient, WatchedClock, disposeGateways, startGateway } from "./gateway.fixture.ts";

afterEach(disposeGateways);

interface LateCall {
  readonly path?: string;
  readonly host?: string;
  readonly token?: string;
  /** What says how long the body is. */
  readonly length?: string;
  readonly fn?: FakeFunctionOptions;
}

/** A call whose head has come and been read, and whose body has not come, at a function that is about to be replaced. */
async function callLate(call: LateCall = {}): Promise<{ old: FakeFunction; table: FakeTable; client: RawClient }> {
  const { path = "/endpoint/predict", host = "localhost", token = ADMIN_TOKEN, length = "content-length: 2" } = call;
  const old = new FakeFunction({ version: 1, ...call.fn });
  const table = createFakeTable(old);
  const appToken = {
    id: "to_app",
    hash: hashToken("app-token"),
    name: "app-token",
    scopes: ["invoke"],
    app: "app",
    expiresAtMs: null,
    createdAtMs: 0,
  } as const;
  const clock = new WatchedClock();
  const { port } = await startGateway([], { functions: table, authenticator: createAuthenticator([...TOKENS, appToken]), clock });
  const client = new RawClient(port).send([
    `POST ${path} HTTP/1.1`,
    `host: ${host}`,
    `authorization: Bearer ${token}`,
    "content-type: application/json",
    length,
  ]);
  // The one on the body that is awaited.
  await clock.nextTimer();
  return { old, table, client };
}

const answer = (client: RawClient): Promise<string> => client.until(/\r\n\r\n.+$/s);

describe("a call whose body comes after a deploy", () => {
  test.each([
    ["by path", {}],
    ["by host", { path: "/", host: "predict.localhost" }],
  ])("%s goes to the function that holds the name now", async (_, call) => {
    const { old, table, client } = await callLate(call);
    const next = new FakeFunction({ version: 2, options: { idempotent: true } });
    table.put(next);
    expect(await answer(client.send("42"))).toMatch(/^HTTP\/1.1 200 .*x-samovar-version: 2\r\n.*42$/s);
    expect(next.calls[0]!.input).toMatchObject({ retries: true, body: Buffer.from("42") });
    expect(old.calls).toEqual([]);
  });

  test.each(["/endpoint/predict@1", "/endpoint/id/fn_predict_1"])("to %s goes to that version all the same", async (path) => {
    const { old, table, client } = await callLate({ path });
    table.put(new FakeFunction({ version: 2 }));
    expect(await answer(client.send("42"))).toMatch(/^HTTP\/1.1 200 .*x-samovar-version: 1\r\n/s);
    expect(old.calls).toHaveLength(1);
  });

  test("and so large that it becomes a stream goes to it as well", async () => {
    const { table, client } = await callLate({ length: "transfer-encoding: chunked" });
    const next = new FakeFunction({ version: 2 });
    table.put(next);
    const size = INLINE_BODY_BYTES + 1;
    client.send(`${size.toString(16)}\r\n${"1".repeat(size)}\r\n`);
    await next.until(() => next.calls.length === 1);
    expect(next.calls[0]!.input.bodyStream).not.toBeNull();
  });

  test("is not found, with what there is, when the name is of another kind now; the connection stays of use", async () => {
    const { table, client } = await callLate();
    table.put(new FakeFunction({ version: 2, kind: "function" }));
    expect(await answer(client.send("42"))).toMatch(/^HTTP\/1.1 404 .*but there is \/function\/predict/s);
    client.send(["GET /livez HTTP/1.1", "host: localhost"]);
    await client.until(/HTTP\/1.1 200/);
  });

  test("is told that its method is gone", async () => {
    const { table, client } = await callLate({ path: "/cls/predict/run", fn: { kind: "cls", methods: { run: {} } } });
    table.put(new FakeFunction({ version: 2, kind: "cls", methods: { walk: {} } }));
    expect(await answer(client.send("42"))).toMatch(/^HTTP\/1.1 404 .*has no method \\"run\\".*walk/s);
  });

  test("is refused when the new function asks for a token, or is another app's", async () => {
    const open = await callLate({ token: "wrong", fn: { options: { authorized: false } } });
    open.table.put(new FakeFunction({ version: 2 }));
    expect(await answer(open.client.send("42"))).toMatch(/^HTTP\/1.1 401 /);
    const taken = await callLate({ token: "app-token" });
    const next = new FakeFunction({ version: 2, app: "other" });
    taken.table.put(next);
    expect(await answer(taken.client.send("42"))).toMatch(/^HTTP\/1.1 403 .*\\"other\\"/s);
    expect([...taken.old.calls, ...next.calls]).toEqual([]);
  });

  test.each(["/endpoint/predict@1", "/endpoint/id/fn_predict_1"])("to %s is refused when the active version asks for a token now", async (path) => {
    const { old, table, client } = await callLate({ path, token: "wrong", fn: { options: { authorized: false } } });
    table.put(new FakeFunction({ version: 2 }));
    expect(await answer(client.send("42"))).toMatch(/^HTTP\/1.1 401 /);
    expect(old.calls).toEqual([]);
  });
});
