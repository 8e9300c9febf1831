import { expect, test, vi, type TestContext } from "vitest";
import { TestHome } from "./test-home.fixture.ts";

const appOf = (name: string): string => `
import { App, endpoint } from "samovar";
new App("${name}");
const input = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => (typeof (value.text ?? "") === "string" ? { value } : { issues: [{ message: "text must be a string" }] }),
    jsonSchema: { input: () => ({ type: "object", properties: { text: { type: "string" } } }) },
  },
};
export const ${name} = endpoint({ input, onStart: () => {} }, () => ({ own: process.env.SAMOVAR_TOKEN }));
`;

/** A server with the apps "shop" and "blog" deployed, of one endpoint each, named as they are. */
async function createHome({ onTestFinished }: Pick<TestContext, "onTestFinished">): Promise<TestHome> {
  const home = await TestHome.create({ "shop.ts": appOf("shop"), "blog.ts": appOf("blog") });
  onTestFinished(() => home.dispose());
  await home.ok(["up", "-d", "--port", "0"]);
  await Promise.all(["shop.ts", "blog.ts"].map((file) => home.ok(["deploy", file])));
  return home;
}

const api = (path: string): string => `/api/v1${path}`;

test.concurrent("a token of one app reaches that app alone, by every way in, until it is revoked", async (context) => {
  const home = await createHome(context);
  const token = (await home.ok(["token", "create", "ci", "--scope", "deploy,invoke", "--app", "shop"])).trim();
  const asks = async (path: string, init: { readonly method?: string; readonly input?: unknown } = {}): Promise<number> =>
    (await home.call(path, init.input, { token, ...(init.method === undefined ? {} : { method: init.method }) })).status;
  const own = [await asks("/endpoint/shop", { input: {} }), await asks(api("/deployments/shop"), { method: "GET" })];
  const others = [
    await asks("/endpoint/blog", { input: {} }),
    await asks(api("/deployments/blog"), { method: "GET" }),
    await asks(api("/deployments/blog/stop")),
    await asks(api("/apps/blog/rollback")),
    await asks(api("/functions/blog/scaling"), { method: "PATCH", input: { minContainers: 1 } }),
    await asks(api("/tokens"), { method: "GET" }),
  ];
  expect([own, others]).toEqual([
    [200, 200],
    [403, 403, 403, 403, 403, 403],
  ]);
  const refused = home.cli(["deploy", "blog.ts"], { SAMOVAR_URL: home.server.url, SAMOVAR_TOKEN: token });
  expect((await refused.exited).code).toBe(1);
  expect(refused.err()).toMatch(/forbidden[\s\S]*"blog"[\s\S]*"shop"/);
  await home.ok(["deploy", "shop.ts"], { SAMOVAR_URL: home.server.url, SAMOVAR_TOKEN: token });
  await home.ok(["token", "revoke", "ci"]);
  expect(await asks("/endpoint/shop", { input: {} })).toBe(401);
  await home.endServer();
});

test.concurrent("a container's own token calls its app and ends with the container", async (context) => {
  const home = await createHome(context);
  const { own: token } = (await home.call("/endpoint/shop", {})).json as { own: string };
  const asks = async (path: string, method = "GET", input?: unknown): Promise<number> => (await home.call(path, input, { token, method })).status;
  expect([await asks("/endpoint/shop", "POST", {}), await asks(api("/deployments/shop")), await asks(api("/functions/shop/scaling"), "PATCH", {})]).toEqual([
    200, 200, 200,
  ]);
  expect([await asks("/endpoint/blog", "POST", {}), await asks(api("/deployments/blog")), await asks(api("/containers")), await asks(api("/tokens"))]).toEqual([
    403, 403, 403, 403,
  ]);
  await home.ok(["deployment", "delete", "shop", "--yes"]);
  // The server tells of a container's end once nothing is left of it.
  await vi.waitUntil(async () => (await asks(api("/deployments"))) === 401, { timeout: 60_000, interval: 50 });
  await home.endServer();
});

test.concurrent("metrics and the description of a deployment tell what was done", async (context) => {
  const home = await createHome(context);
  await home.call("/endpoint/shop", {});
  await home.call("/endpoint/shop", { text: 5 });
  const { headers, text } = await home.call("/metrics", undefined, { method: "GET", token: null });
  expect(headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const lines = text.split("\n");
  for (const line of [
    'samovar_calls_total{app="shop",function="shop",version="1",status="200"} 1',
    'samovar_calls_total{app="shop",function="shop",version="1",status="422"} 1',
    'samovar_call_duration_seconds_count{app="shop",function="shop",version="1",status="2xx"} 1',
    'samovar_containers{app="shop",function="shop",version="1",state="ready"} 1',
    'samovar_container_starts_total{app="shop",function="shop",outcome="ready"} 1',
    'samovar_container_phase_seconds_count{app="shop",function="shop",phase="start",outcome="ok"} 1',
    'samovar_container_phase_seconds_count{app="blog",function="blog",phase="ready",outcome="ok"} 1',
  ])
    expect(lines).toContain(line);
  const described = await home.call(api("/deployments/shop/openapi.json"), undefined, { method: "GET" });
  expect(described.json).toMatchObject({
    openapi: expect.stringMatching(/^3\.1\./),
    servers: [{ url: home.server.url }],
    paths: {
      "/endpoint/shop": {
        get: { parameters: expect.arrayContaining([expect.objectContaining({ name: "text", in: "query" })]) },
        post: { requestBody: { required: true } },
      },
    },
  });
  await home.endServer();
});
