import { afterEach, describe, expect, test } from "vitest";
import { hashToken } from "@samovar/kit";
import type { Scope, TokenRecord } from "@samovar/storage";
import { createAuthenticator } from "../authenticator.ts";
import { FakeFunction } from "../fakes.fixture.ts";
import { disposeGateways, startGateway } from "../gateway.fixture.ts";
import { APP, linesOf } from "./api.fixture.ts";
import { ROUTES } from "./routes.ts";

afterEach(disposeGateways);

const record = (id: string, scopes: readonly Scope[]): TokenRecord => ({
  id,
  hash: hashToken(id),
  name: id,
  scopes,
  app: "app",
  expiresAtMs: null,
  createdAtMs: 0,
});

/** A gateway with tokens `deployer` and `caller` of the app "app", and that of a container of it. */
async function open() {
  const authenticator = createAuthenticator([record("deployer", ["deploy"]), record("caller", ["invoke"])]);
  authenticator.addContainer("ct_1", hashToken("container"), "app");
  const gateway = await startGateway([new FakeFunction({ name: "predict", version: 2 }), new FakeFunction({ name: "hello-dev" })], { authenticator });
  const ask = async (token: string, method: string, path: string, body?: unknown): Promise<{ status: number; code?: string; detail?: string }> => {
    const response = await gateway.request(`/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, ...(text.startsWith("{") && !text.includes("\n") ? (JSON.parse(text) as object) : {}) };
  };
  return { ...gateway, authenticator, ask };
}

const demo = (app: string) => ({ ...APP, manifest: { ...APP.manifest, app } });
const BOTH = { status: 403, code: "forbidden", detail: expect.stringMatching(/"other".*"deployer".*"app"/) as string };

describe("a token of one app", () => {
  test("deploys that app and no other, and takes no name of another", async () => {
    const { request, control, ask } = await open();
    const headers = { authorization: "Bearer deployer" };
    const response = await request("/api/v1/deployments", { method: "POST", headers, body: JSON.stringify(demo("app")) });
    expect(await Array.fromAsync(linesOf(response))).toMatchObject([{ type: "deployed" }]);
    expect(await ask("deployer", "POST", "/deployments", demo("other"))).toMatchObject(BOTH);
    expect(await ask("deployer", "POST", "/deployments", { ...demo("app"), takeOver: true })).toMatchObject({
      status: 403,
      detail: expect.stringContaining("takeOver") as string,
    });
    expect(control.asked).toHaveLength(1);
  });

  test("runs and serves that app and no other", async () => {
    const { control, ask } = await open();
    expect(await ask("deployer", "PUT", "/sessions/ss_1/app", demo("other"))).toMatchObject(BOTH);
    expect(control.asked).toEqual([]);
    expect((await ask("deployer", "PUT", "/sessions/ss_1/app", demo("app"))).status).toBe(200);
  });

  test("sees that app and no other", async () => {
    const { control, ask } = await open();
    control.functions = () => [new FakeFunction().info(), { ...new FakeFunction().info(), app: "other" }];
    for (const token of ["deployer", "caller", "container"]) {
      expect(await ask(token, "GET", "/deployments")).toMatchObject({ status: 200, deployments: [{ name: "predict" }] });
      expect((await ask(token, "GET", "/deployments/predict")).status).toBe(200);
      expect((await ask(token, "GET", "/deployments/predict/openapi.json")).status).toBe(200);
      for (const path of ["/deployments/train", "/deployments/train/openapi.json"]) {
        const detail = expect.stringMatching(/The deployment "train" belongs to the app "other".* for the app "app" only/) as string;
        expect(await ask(token, "GET", path)).toMatchObject({ status: 403, code: "forbidden", detail });
      }
    }
    expect(await ask("deployer", "GET", "/functions")).toMatchObject({ functions: [{ app: "app" }] });
  });

  test.each([
    ["POST", "/deployments/train/stop"],
    ["POST", "/deployments/train/start"],
    ["POST", "/deployments/train/rollback"],
    ["POST", "/apps/other/rollback"],
    ["DELETE", "/deployments/train"],
    ["DELETE", "/deployments/train?version=1"],
  ])("can't %s %s, which is another app's", async (method, path) => {
    const { control, ask } = await open();
    expect(await ask("deployer", method, path)).toMatchObject(BOTH);
    expect(control.asked).toEqual([]);
    expect((await ask("deployer", method, path.replace("train", "predict").replace("other", "app"))).status).toBeLessThan(300);
    expect((await ask("caller", method, path.replace("train", "predict").replace("other", "app"))).status).toBe(403);
  });

  test("scales what is that app's, by name or id, deployed or served; containers may, callers may not", async () => {
    const { control, ask } = await open();
    const scale = (token: string, name: string) => ask(token, "PATCH", `/functions/${name}/scaling`, { minContainers: 1 });
    for (const token of ["deployer", "container"]) {
      for (const name of ["predict", "PREDICT", "fn_predict_2", "hello-dev", "fn_hello-dev_1"]) expect((await scale(token, name)).status).toBe(200);
      for (const name of ["train", "fn_train_2"])
        expect(await scale(token, name)).toMatchObject({ status: 403, detail: expect.stringMatching(/"other".*"app"/) as string });
    }
    expect((await scale("caller", "predict")).status).toBe(403);
    expect(control.asked).toHaveLength(10);
  });

  test("is refused wherever nothing keeps it to that app", async () => {
    const { authenticator, ask } = await open();
    authenticator.add({ ...record("odd", ["admin", "deploy", "invoke"]) });
    for (const route of ROUTES.filter((each) => !each.ofOneApp)) {
      const answer = await ask("odd", route.method.toUpperCase(), route.path.replace(/\{\w+\}/g, "x"));
      expect([route.path, answer]).toMatchObject([route.path, { status: 403, detail: expect.stringContaining("concerns all apps") as string }]);
    }
  });
});

test("a container's token ends with the container", async () => {
  const { authenticator, ask } = await open();
  authenticator.removeContainer("ct_1");
  expect(await ask("container", "GET", "/deployments")).toMatchObject({ status: 401, code: "unauthorized" });
});
