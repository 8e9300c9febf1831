import { afterEach, describe, expect, test } from "vitest";
import { hashToken } from "@samovar/kit";
import { createAuthenticator } from "./authenticator.ts";
import { ADMIN_TOKEN, DEPLOY_TOKEN, FakeFunction, INVOKE_TOKEN, TOKENS, failWith } from "./fakes.fixture.ts";
import { SamovarError } from "@samovar/protocol";
import { RawClient, disposeGateways, startGateway, type TestGateway } from "./gateway.fixture.ts";

afterEach(disposeGateways);

const tokenOf = (name: string, app: string, scope: "invoke" | "admin") => ({
  id: `to_${name}`,
  hash: hashToken(name),
  name,
  scopes: [scope],
  app,
  expiresAtMs: null,
  createdAtMs: 0,
});

async function startShop(): Promise<TestGateway & { readonly authenticator: ReturnType<typeof createAuthenticator> }> {
  const authenticator = createAuthenticator([...TOKENS, tokenOf("shop-token", "shop", "invoke"), tokenOf("shop-admin", "shop", "admin")]);
  const thrown = { name: "TypeError", message: "no good", stack: "TypeError: no good\n    at app.ts:1:1" };
  const run = failWith(new SamovarError("handler_error", "TypeError: no good"), thrown);
  const functions = [
    new FakeFunction({ name: "order", app: "shop" }),
    new FakeFunction({ name: "orderly", app: "other" }),
    new FakeFunction({ name: "open", app: "other", options: { authorized: false }, run }),
    new FakeFunction({ name: "broken", app: "shop", run }),
  ];
  return { ...(await startGateway(functions, { authenticator })), authenticator };
}

const as = (token: string): RequestInit => ({ headers: { authorization: token === "" ? "" : `Bearer ${token}` } });

describe("a token of one app", () => {
  test("calls that app's functions, and no other's; the refusal names both apps", async () => {
    const { request } = await startShop();
    expect((await request("/endpoint/order", as("shop-token"))).status).toBe(200);
    for (const path of ["/endpoint/orderly", "/endpoint/orderly@1", "/endpoint/id/fn_orderly_1"]) {
      const response = await request(path, as("shop-token"));
      expect([response.status, await response.json()]).toMatchObject([
        403,
        { code: "forbidden", detail: expect.stringMatching(/"other".*"shop-token".*"shop"/) },
      ]);
    }
  });

  test("is not told other apps' names when it mistypes one", async () => {
    const { request } = await startShop();
    for (const [path, detail] of [
      ["/endpoint/orde", 'No endpoint is named "orde". Did you mean "order"?'],
      ["/function/orderly", 'No function is named "orderly". There are no functions of the kind function'],
      ["/function/id/fn_orderly_1", 'No function has the id "fn_orderly_1"'],
    ] as const) {
      expect(await (await request(path, as("shop-token"))).json()).toMatchObject({ code: "not_found", detail });
    }
  });

  test("with the scope admin sees stacks of its app only", async () => {
    const { request } = await startShop();
    const stackOf = async (path: string): Promise<unknown> =>
      ((await (await request(path, as("shop-admin"))).json()) as { error: { stack?: string } }).error.stack;
    expect(await stackOf("/endpoint/broken")).toContain("app.ts");
    expect(await stackOf("/endpoint/open")).toBeUndefined();
  });
});

test("a container's token calls functions of its app, and nothing else of the server; it dies with the container", async () => {
  const { request, authenticator } = await startShop();
  authenticator.addContainer("ct_7", hashToken("container-token"), "shop");
  expect((await request("/endpoint/order", as("container-token"))).status).toBe(200);
  const refused = await request("/endpoint/orderly", as("container-token"));
  expect([refused.status, await refused.json()]).toMatchObject([403, { detail: expect.stringContaining("container ct_7") }]);
  expect((await request("/api/v1/server", as("container-token"))).status).toBe(403);
  authenticator.removeContainer("ct_7");
  expect((await request("/endpoint/order", as("container-token"))).status).toBe(401);
});

test.each([
  ["", "none"],
  ["wrong", "one that nobody has"],
  [DEPLOY_TOKEN, "one without the scope"],
  ["shop-token", "one of another app"],
])("a public function is called with the token %j: %s is as good as any", async (token) => {
  const { request } = await startShop();
  expect(await (await request("/endpoint/open", as(token))).json()).toMatchObject({ code: "handler_error" });
});

describe("an old version that was public, of what asks for a token now", () => {
  const old = new FakeFunction({ name: "open", version: 1, options: { authorized: false } });
  const versions = [old, new FakeFunction({ name: "open", version: 2 })];

  test.each([
    ["/endpoint/open@1", "localhost"],
    ["/endpoint/id/fn_open_1", "localhost"],
    ["/", "open--1.localhost"],
  ])("asks for one at %s of %s, called and queued, and says nothing to pages of other origins", async (path, host) => {
    const { port } = await startGateway(versions);
    const send = async (method: string, ...headers: string[]): Promise<string> =>
      new RawClient(port).send([`${method} ${path} HTTP/1.1`, `host: ${host}`, "content-length: 0", "connection: close", ...headers]).until(/\r\n\r\n/);
    expect(await send("POST")).toMatch(/^HTTP\/1.1 401 /);
    expect(await send("POST", "prefer: respond-async")).toMatch(/^HTTP\/1.1 401 /);
    expect(await send("OPTIONS", "origin: https://page.example")).not.toContain("access-control-");
    expect(await send("POST", `authorization: Bearer ${INVOKE_TOKEN}`)).toMatch(/^HTTP\/1.1 200 /);
  });

  test("of another kind asks for one as well; what `run` has under that name is its own", async () => {
    const { request } = await startGateway([
      new FakeFunction({ name: "made", version: 1, kind: "function", options: { authorized: false } }),
      new FakeFunction({ name: "made", version: 3, development: true, options: { authorized: false } }),
      new FakeFunction({ name: "made", version: 2 }),
    ]);
    expect((await request("/function/made@1", { method: "POST", ...as("") })).status).toBe(401);
    expect((await request("/endpoint/id/fn_made_3", as(""))).status).toBe(200);
  });

  test("and one that asks for a token while the active one is public goes on asking", async () => {
    const { request } = await startGateway([versions[1]!, new FakeFunction({ name: "open", version: 3, options: { authorized: false } })]);
    expect((await request("/endpoint/open@2", as(""))).status).toBe(401);
    expect((await request("/endpoint/open", as(""))).status).toBe(200);
  });
});

describe("a page of another origin", () => {
  const preflight = (path: string): [string, RequestInit] => [
    path,
    { method: "OPTIONS", headers: { origin: "https://page.example", "access-control-request-method": "POST", authorization: "" } },
  ];
  const cors = (response: Response): string[] => [...response.headers.keys()].filter((name) => name.startsWith("access-control-"));

  test("may call a public function; whether it may read the answer is the handler's to say", async () => {
    const { request } = await startShop();
    const response = await request(...preflight("/endpoint/open"));
    expect([response.status, Object.fromEntries(response.headers)]).toMatchObject([
      204,
      {
        allow: "GET, HEAD, POST, OPTIONS",
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET, HEAD, POST, OPTIONS",
        "access-control-allow-headers": "*, authorization",
      },
    ]);
    expect(cors(await request("/endpoint/open", { headers: { origin: "https://page.example" } }))).toEqual([]);
  });

  test("may not call one that asks for a token, nor learn whether there is one", async () => {
    const { request } = await startShop();
    const [known, unknown] = await Promise.all([request(...preflight("/endpoint/order")), request(...preflight("/endpoint/nobody"))]);
    for (const response of [known, unknown])
      expect([response.status, cors(response), response.headers.get("allow")]).toEqual([204, [], "GET, HEAD, POST, OPTIONS"]);
  });
});

test("tokens of all apps go on as they did", async () => {
  const { request } = await startShop();
  for (const token of [ADMIN_TOKEN, INVOKE_TOKEN]) expect((await request("/endpoint/orderly", as(token))).status).toBe(200);
});
