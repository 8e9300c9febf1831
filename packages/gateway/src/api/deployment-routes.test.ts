import { afterEach, describe, expect, test } from "vitest";
import { SamovarError, type DeployEvent } from "@samovar/protocol";
import { LINE } from "../fakes.fixture.ts";
import { disposeGateways, startGateway } from "../gateway.fixture.ts";
import { APP, linesOf } from "./api.fixture.ts";
import { DEPLOYED } from "./fake-deployments.fixture.ts";

afterEach(disposeGateways);

const send = (method: string, value?: unknown): RequestInit => ({
  method,
  ...(value === undefined ? {} : { body: JSON.stringify(value), headers: { "content-type": "application/json" } }),
});

describe("a deploy", () => {
  test("is told as it goes, and ends with what was deployed", async () => {
    const { request, control } = await startGateway([]);
    let goOn = (): void => {};
    control.deployments.run = async (_, emit) => {
      emit({ type: "progress", message: "building" });
      await new Promise<void>((resolve) => (goOn = resolve));
      emit({ type: "log", line: LINE });
      emit({ type: "note", message: "cached" });
      return DEPLOYED;
    };
    const body = { ...APP, only: ["model"], prune: true, noWait: true, takeOver: true, forceBuild: true };
    const response = await request("/api/v1/deployments", send("POST", body));
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/x-ndjson"]);
    const lines = linesOf(response);
    expect((await lines.next()).value).toEqual({ type: "progress", message: "building" });
    goOn();
    expect(await Array.fromAsync(lines)).toEqual([
      { type: "log", line: LINE },
      { type: "note", message: "cached" },
      { type: "deployed", result: DEPLOYED },
    ]);
    expect(control.asked).toEqual([["deploy", body]]);
  });

  test("that says nothing for long has answered all the same", async () => {
    const { request, control } = await startGateway([]);
    control.deployments.run = () => new Promise(() => {});
    const abort = new AbortController();
    expect((await request("/api/v1/deployments", { ...send("POST", APP), signal: abort.signal })).status).toBe(200);
    abort.abort();
  });

  test("that fails ends with its problem; what isn't ours stays here", async () => {
    const { request, control } = await startGateway([]);
    const failing = async (error: Error): Promise<readonly unknown[]> => {
      control.deployments.run = () => Promise.reject(error);
      return Array.fromAsync(linesOf(await request("/api/v1/deployments", send("POST", APP))));
    };
    const odd: Record<string, unknown> = { hook: "migrate" };
    expect(await failing(new SamovarError("deploy_failed", "onDeploy failed: no database", { fields: odd }))).toEqual([
      { type: "failed", problem: expect.objectContaining({ code: "deploy_failed", status: 503, detail: "onDeploy failed: no database", hook: "migrate" }) },
    ]);
    odd["self"] = odd;
    expect(await failing(new SamovarError("deploy_failed", "again", { fields: odd }))).toEqual([
      { type: "failed", problem: expect.objectContaining({ code: "deploy_failed", detail: "again" }) },
    ]);
    const text = JSON.stringify(await failing(new Error("secret detail")));
    expect(text).toContain('"internal"');
    expect(text).not.toContain("secret");
    control.deployments.run = () => {
      throw new SamovarError("conflict", "at once");
    };
    expect(await Array.fromAsync(linesOf(await request("/api/v1/deployments", send("POST", APP))))).toMatchObject([
      { type: "failed", problem: { code: "conflict" } },
    ]);
  });

  test("is given up when its client hangs up, and when the server ends", async () => {
    for (const how of ["client", "server"]) {
      const { request, control, gateway } = await startGateway([]);
      const begun = Promise.withResolvers<void>();
      const givenUp = Promise.withResolvers<void>();
      let emitted: (event: DeployEvent) => void = () => {};
      control.deployments.run = (_, emit, signal) => {
        emitted = emit;
        begun.resolve();
        return new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            givenUp.resolve();
            reject(new SamovarError("cancelled", "The deploy was given up"));
          });
        });
      };
      const abort = new AbortController();
      const response = await request("/api/v1/deployments", { ...send("POST", APP), signal: abort.signal });
      await begun.promise;
      if (how === "client") abort.abort();
      else {
        const disposed = gateway.dispose({ graceMs: 60_000 });
        expect(await response.text()).toBe("");
        await disposed;
      }
      await givenUp.promise;
      emitted({ type: "progress", message: "nobody hears" });
    }
  });

  test.each([
    ["an app that can't have its name", { ...APP, manifest: { ...APP.manifest, app: "my app" } }, /manifest\.app: "my app" is not a name/],
    [
      "a function that can't have its name",
      { ...APP, manifest: { ...APP.manifest, functions: [{ ...APP.manifest.functions[0], name: "id" }] } },
      /functions\.0\.name: "id" is reserved/,
    ],
    ["an option that isn't one", { ...APP, now: true }, /"now"/],
    ["nothing to deploy only", { ...APP, only: [] }, /only/],
    ["a path that leaves its folder", { ...APP, code: { ...APP.code, entry: "/etc/passwd" } }, /entry/],
  ])("with %s is a problem before it begins", async (_, body, detail) => {
    const { request, control } = await startGateway([]);
    const response = await request("/api/v1/deployments", send("POST", body));
    expect([response.status, await response.json()]).toMatchObject([400, { code: "invalid_request", detail: expect.stringMatching(detail) }]);
    expect(control.asked).toEqual([]);
  });

  test("does not begin while the server is draining, nor with a body over the limit", async () => {
    const { request, control, gateway } = await startGateway([]);
    const large = await request("/api/v1/deployments", { method: "POST", body: Buffer.alloc(16 * 1024 * 1024 + 1, " ") });
    expect([large.status, await large.json()]).toMatchObject([413, { maxBytes: 16 * 1024 * 1024 }]);
    gateway.drain();
    expect(await (await request("/api/v1/deployments", send("POST", APP))).json()).toMatchObject({ status: 503, code: "shutting_down" });
    expect(control.asked).toEqual([]);
  });
});

describe("what is deployed", () => {
  test("is listed, and one is told with its versions", async () => {
    const { request, control } = await startGateway([]);
    expect(await (await request("/api/v1/deployments")).json()).toEqual({ deployments: control.deployments.list() });
    expect(await (await request("/api/v1/deployments/Predict")).json()).toEqual(control.deployments.get("predict"));
    const missing = await request("/api/v1/deployments/nosuch");
    expect([missing.status, await missing.json()]).toMatchObject([404, { code: "not_found", detail: 'Nothing is deployed as "nosuch"' }]);
  });

  test("is stopped, started, rolled back and deleted", async () => {
    const { request, control } = await startGateway([]);
    const [predict] = control.deployments.list();
    const ask = async (path: string, init: RequestInit): Promise<unknown> => {
      const response = await request(`/api/v1${path}`, init);
      return response.status === 204 ? 204 : [response.status, await response.json()];
    };
    expect(await ask("/deployments/predict/stop", send("POST"))).toEqual([200, predict]);
    expect(await ask("/deployments/predict/start", send("POST"))).toEqual([200, predict]);
    expect(await ask("/deployments/predict/rollback", send("POST"))).toEqual([200, predict]);
    expect(await ask("/deployments/predict/rollback", send("POST", { version: 1 }))).toEqual([200, predict]);
    expect(await ask("/apps/app/rollback", send("POST"))).toEqual([200, { deployments: [predict] }]);
    expect(await ask("/apps/app/rollback", send("POST", {}))).toEqual([200, { deployments: [predict] }]);
    expect(await ask("/deployments/predict?version=1", send("DELETE"))).toBe(204);
    expect(await ask("/deployments/predict", send("DELETE"))).toBe(204);
    expect(control.asked).toEqual([
      ["stop", "predict"],
      ["start", "predict"],
      ["rollback", "predict", null],
      ["rollback", "predict", 1],
      ["rollbackApp", "app"],
      ["rollbackApp", "app"],
      ["delete", "predict", 1],
      ["delete", "predict", null],
    ]);
  });

  test.each([
    ["POST", "/deployments/predict/rollback", { version: 0 }],
    ["POST", "/deployments/predict/rollback", { version: "1" }],
    ["POST", "/deployments/predict/rollback", { to: 1 }],
    ["POST", "/apps/app/rollback", { version: 1 }],
    ["DELETE", "/deployments/predict?version=0", undefined],
    ["DELETE", "/deployments/predict?version=x", undefined],
    ["DELETE", "/deployments/predict?v=1", undefined],
    ["GET", "/deployments/predict/openapi.json?version=", undefined],
  ])("%s %s %j is refused", async (method, path, body) => {
    const { request, control } = await startGateway([]);
    const response = await request(`/api/v1${path}`, send(method, body));
    expect([response.status, await response.json()]).toMatchObject([400, { code: "invalid_request" }]);
    expect(control.asked).toEqual([]);
  });
});

describe("scaling", () => {
  test("a change reaches the control plane as it was sent", async () => {
    const { request, control } = await startGateway([]);
    const patch = { minContainers: 1, maxContainers: null, scaledownWindowMs: null };
    const response = await request("/api/v1/functions/predict/scaling", send("PATCH", patch));
    expect([response.status, await response.json()]).toEqual([200, control.functions()[0]]);
    expect(control.asked).toEqual([["scale", "predict", patch]]);
  });

  test("a window is taken as options have it, in seconds or with a unit", async () => {
    const { request, control } = await startGateway([]);
    for (const scaledownWindow of [5, "5m", -1]) await request("/api/v1/functions/predict/scaling", send("PATCH", { scaledownWindow }));
    expect(control.asked).toEqual([5_000, 300_000, null].map((scaledownWindowMs) => ["scale", "predict", { scaledownWindowMs }]));
    const both = await request("/api/v1/functions/predict/scaling", send("PATCH", { scaledownWindow: 5, scaledownWindowMs: 5_000 }));
    expect(await both.json()).toMatchObject({ code: "invalid_option", detail: expect.stringContaining("give one of them") });
  });

  test("what can't be a change is told in the option's words", async () => {
    const { request, control } = await startGateway([]);
    const ask = async (patch: unknown): Promise<unknown> => (await request("/api/v1/functions/predict/scaling", send("PATCH", patch))).json();
    expect(await ask({ minContainers: 2, maxContainers: 1 })).toMatchObject({ code: "invalid_option", detail: "minContainers (2) is above maxContainers (1)" });
    expect(await ask({ minContainers: -1 })).toMatchObject({ code: "invalid_option" });
    expect(await ask({ minContainer: 1 })).toMatchObject({ code: "invalid_request", detail: expect.stringContaining('"minContainer"') });
    expect(await ask({ minContainers: null })).toMatchObject({ code: "invalid_request" });
    expect(control.asked).toEqual([]);
  });
});

test("tokens are listed, made and revoked", async () => {
  const { request, control } = await startGateway([]);
  const tokens = await control.tokens.list();
  expect(await (await request("/api/v1/tokens")).json()).toEqual({ tokens });
  const wanted = { name: "ci", scopes: ["deploy"], app: "app", expiresInMs: 5 };
  const made = await request("/api/v1/tokens", send("POST", wanted));
  expect([made.status, made.headers.get("cache-control"), await made.json()]).toEqual([201, "no-store", { ...tokens[0], token: "smv_shown_once" }]);
  expect((await request("/api/v1/tokens/ci", send("DELETE"))).status).toBe(204);
  expect(await (await request("/api/v1/tokens/nosuch", send("DELETE"))).json()).toMatchObject({ status: 404, code: "not_found" });
  for (const body of [{ name: "ci" }, { ...wanted, scopes: [] }, { ...wanted, scopes: ["root"] }, { ...wanted, hash: "x" }])
    expect((await request("/api/v1/tokens", send("POST", body))).status).toBe(400);
  for (const expires of ["30d", 2_592_000])
    expect((await request("/api/v1/tokens", send("POST", { name: "ci", scopes: ["deploy"], expires }))).status).toBe(201);
  expect(await (await request("/api/v1/tokens", send("POST", { ...wanted, expires: "soon" }))).json()).toMatchObject({
    detail: expect.stringMatching(/expires: is there as expiresInMs as well.*expires is not a duration/),
  });
  expect((await request("/api/v1/tokens", { method: "POST", body: Buffer.alloc(64 * 1024 + 1, " ") })).status).toBe(413);
  expect(control.asked).toEqual([
    ["createToken", wanted],
    ["revokeToken", "ci"],
    ["revokeToken", "nosuch"],
    ["createToken", { name: "ci", scopes: ["deploy"], expiresInMs: 2_592_000_000 }],
    ["createToken", { name: "ci", scopes: ["deploy"], expiresInMs: 2_592_000_000 }],
  ]);
});
