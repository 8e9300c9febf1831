import { afterEach, describe, expect, test } from "vitest";
import { hashToken } from "@samovar/kit";
import { createAuthenticator } from "./authenticator.ts";
import { ADMIN_TOKEN, DEPLOY_TOKEN, FakeFunction, INVOKE_TOKEN, TOKENS, failWith } from "./fakes.fixture.ts";
import { SamovarError } from "@samovar/protocol";
import { disposeGateways, startGateway, type TestGateway } from "./gateway.fixture.ts";

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
