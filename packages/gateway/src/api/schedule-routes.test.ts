import { afterEach, describe, expect, test } from "vitest";
import { hashToken } from "@samovar/kit";
import type { Scope } from "@samovar/storage";
import { createAuthenticator } from "../authenticator.ts";
import { INVOKE_TOKEN, TOKENS } from "../fakes.fixture.ts";
import { CALLBACK, SCHEDULE } from "../fake-tasks.fixture.ts";
import { disposeGateways, startGateway } from "../gateway.fixture.ts";

afterEach(disposeGateways);

async function open() {
  const tokenOf = (id: string, scope: Scope) => ({ id, hash: hashToken(id), name: id, scopes: [scope], app: "app", expiresAtMs: null, createdAtMs: 0 });
  const authenticator = createAuthenticator([...TOKENS, tokenOf("caller", "invoke"), tokenOf("deployer", "deploy")]);
  authenticator.addContainer("ct_9", hashToken("container"), "app");
  const gateway = await startGateway([], { authenticator });
  const ask = async (token: string, method: string, path: string, body?: unknown) => {
    const headers: Record<string, string> = token === "" ? {} : { authorization: `Bearer ${token}` };
    const response = await gateway.request(`/api/v1${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const text = await response.text();
    return { status: response.status, text, json: text === "" ? null : (JSON.parse(text) as unknown) };
  };
  return { ...gateway, ask, asked: gateway.control.asked };
}

describe("schedules", () => {
  test("are listed and told, of one app to its tokens", async () => {
    const { ask } = await open();
    expect((await ask("", "GET", "/schedules")).json).toMatchObject({ schedules: [{ name: "nightly" }, { name: "hourly" }] });
    for (const token of ["caller", "deployer", "container"]) {
      expect((await ask(token, "GET", "/schedules")).json).toEqual({ schedules: [SCHEDULE] });
      expect((await ask(token, "GET", "/schedules/NIGHTLY")).json).toEqual(SCHEDULE);
      expect((await ask(token, "GET", "/schedules/hourly")).status).toBe(403);
      const missing = await ask(token, "GET", "/schedules/hourl");
      expect([missing.status, missing.text]).toEqual([404, expect.not.stringContaining("hourly")]);
    }
  });

  test("are run by who may call or deploy, and paused and resumed by who may deploy", async () => {
    const { ask, asked } = await open();
    for (const token of ["", "caller", "deployer", "container"])
      expect(await ask(token, "POST", "/schedules/nightly/run")).toMatchObject({ status: 202, json: { taskId: "tk_run" } });
    asked.length = 0;
    expect(await ask("deployer", "POST", "/schedules/nightly/pause")).toMatchObject({ status: 200, json: { state: "paused" } });
    expect(await ask("deployer", "POST", "/schedules/nightly/resume")).toMatchObject({ status: 200, json: { state: "active" } });
    expect(asked).toEqual([
      ["pause", "nightly"],
      ["resume", "nightly"],
    ]);
    for (const token of [INVOKE_TOKEN, "caller", "container"])
      for (const verb of ["pause", "resume"]) expect((await ask(token, "POST", `/schedules/nightly/${verb}`)).status).toBe(403);
    for (const verb of ["run", "pause", "resume"]) {
      expect((await ask("deployer", "POST", `/schedules/hourly/${verb}`)).status).toBe(403);
      expect((await ask("", "POST", `/schedules/none/${verb}`)).status).toBe(404);
    }
    expect(asked).toHaveLength(2);
  });
});

describe("callbacks", () => {
  test("are listed by state and app, of one app to its tokens", async () => {
    const { ask, asked } = await open();
    expect((await ask("", "GET", "/callbacks?state=failed&app=other&limit=3")).json).toMatchObject({ callbacks: [{ id: "cb_2" }] });
    expect((await ask("caller", "GET", "/callbacks")).json).toEqual({ callbacks: [CALLBACK], cursor: null });
    expect(asked).toEqual([
      ["listCallbacks", { state: "failed", app: "other", limit: 4 }],
      ["listCallbacks", { app: "app", limit: 101 }],
    ]);
    expect((await ask("caller", "GET", "/callbacks?app=other")).status).toBe(403);
    for (const query of ["state=lost", "limit=1001"]) expect((await ask("", "GET", `/callbacks?${query}`)).status).toBe(400);
  });

  test("are listed in pages", async () => {
    const { ask, asked } = await open();
    expect((await ask("", "GET", "/callbacks?limit=1&cursor=cb_9")).json).toMatchObject({ callbacks: [{ id: "cb_1" }], cursor: "cb_1" });
    expect(asked).toEqual([["listCallbacks", { limit: 2, before: "cb_9" }]]);
  });

  test("that failed for good are sent once more together, of one app to its tokens", async () => {
    const { ask, asked } = await open();
    const retry = (token: string, body: unknown) => ask(token, "POST", "/callbacks/retry", body);
    expect(await retry("deployer", { state: "failed" })).toMatchObject({ status: 200, json: { changed: 2 } });
    await retry("", { state: "failed", app: "other", since: "2027-01-01T00:00:00Z" });
    expect(asked).toEqual([
      ["retryFailedCallbacks", { app: "app" }],
      ["retryFailedCallbacks", { app: "other", createdAfterMs: Date.UTC(2027, 0, 1) }],
    ]);
    for (const body of [{}, { state: "pending" }, { state: "failed", since: "soon" }]) expect((await retry("", body)).status).toBe(400);
    expect((await retry("deployer", { state: "failed", app: "other" })).status).toBe(403);
    expect((await retry("caller", { state: "failed" })).status).toBe(403);
  });

  test("are sent once more by who may deploy; another app's are as none", async () => {
    const { ask, asked } = await open();
    expect(await ask("deployer", "POST", "/callbacks/cb_1/retry")).toMatchObject({ status: 200, json: { id: "cb_1", state: "pending" } });
    for (const id of ["cb_2", "cb_none"]) expect((await ask("deployer", "POST", `/callbacks/${id}/retry`)).status).toBe(404);
    expect((await ask("caller", "POST", "/callbacks/cb_1/retry")).status).toBe(403);
    expect(asked).toEqual([["retryCallback", "cb_1"]]);
  });

  test("are signed with a secret that is told to who may deploy the app", async () => {
    const { ask } = await open();
    expect((await ask("", "GET", "/callbacks/secret?app=other")).json).toEqual({ secret: "whsec_other" });
    expect((await ask("", "GET", "/callbacks/secret")).status).toBe(400);
    expect((await ask("deployer", "GET", "/callbacks/secret")).json).toEqual({ secret: "whsec_app" });
    expect((await ask("deployer", "GET", "/callbacks/secret?app=other")).status).toBe(403);
    for (const token of [INVOKE_TOKEN, "caller", "container"]) expect((await ask(token, "GET", "/callbacks/secret?app=app")).status).toBe(403);
  });
});

test("a backup is the admin's to make", async () => {
  const { ask, asked } = await open();
  expect((await ask("", "POST", "/backup", { to: "/tmp/copy.db" })).status).toBe(204);
  for (const token of [INVOKE_TOKEN, "deployer"]) expect((await ask(token, "POST", "/backup", { to: "/tmp/copy.db" })).status).toBe(403);
  expect((await ask("", "POST", "/backup", {})).status).toBe(400);
  expect(asked).toEqual([["backup", "/tmp/copy.db"]]);
});
