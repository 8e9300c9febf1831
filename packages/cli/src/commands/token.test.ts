import { afterEach, expect, test } from "vitest";
import { startControlServer, TOKEN, tokenInfo, type ControlServer, type ControlServerData } from "../control-server.fixture.ts";
import { runCli } from "../run-cli.ts";
import { createTestIo, type TestIo } from "../test-io.fixture.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function setUp(data: ControlServerData = {}): Promise<{ io: TestIo; server: ControlServer }> {
  const server = await startControlServer(data);
  const io = createTestIo({ env: { SAMOVAR_URL: server.url, SAMOVAR_TOKEN: TOKEN } });
  cleanUps.push(() => server.dispose(), io.remove);
  return { io, server };
}

test("create prints the token alone on stdout", async () => {
  const { io, server } = await setUp();
  expect(await runCli(["token", "create", "ci"], io)).toBe(0);
  expect(io.out()).toBe("smv_secret\n");
  expect(io.err()).toBe("tk_1 ci: invoke; it doesn't expire. It is shown this once:\n");
  expect(server.bodies).toEqual([{ name: "ci", scopes: ["invoke"] }]);
});

test("create sends scopes, app and end", async () => {
  const { io, server } = await setUp();
  expect(await runCli(["token", "create", "ci", "--scope", "deploy, invoke,deploy", "--app", "models", "--expires", "30d", "--json"], io)).toBe(0);
  expect(server.bodies).toEqual([{ name: "ci", scopes: ["deploy", "invoke"], app: "models", expiresInMs: 2_592_000_000 }]);
  expect(JSON.parse(io.out())).toMatchObject({ name: "ci", token: "smv_secret" });
  expect(io.err()).toBe("");
});

test.each([
  [["--scope", "everything"], /"everything" is no scope: there are invoke, deploy, admin/],
  [["--scope", ""], /"" is no scope/],
  [["--expires", "tomorrow"], /such as 30s or 5m/],
  [["--expires", "0"], /longer than 0/],
])("create %j is a usage error", async (argv, message) => {
  const { io, server } = await setUp();
  expect(await runCli(["token", "create", "ci", ...argv], io)).toBe(1);
  expect(io.err()).toMatch(message);
  expect(server.requests).toEqual([]);
});

test("list shows who may do what, and until when", async () => {
  const tokens = [tokenInfo(), tokenInfo({ id: "tk_2", name: "site", app: "models", scopes: ["deploy", "invoke"], expiresAtMs: Date.now() + 86_430_000 })];
  const { io } = await setUp({ tokens });
  expect(await runCli(["token", "list"], io)).toBe(0);
  expect(io.out()).toMatchInlineSnapshot(`
    "ID    NAME  SCOPES         APP     CREATED  EXPIRES
    tk_1  ci    invoke         all     1 h ago  never
    tk_2  site  deploy,invoke  models  1 h ago  in 1 d
    "
  `);
  const json = await setUp({ tokens });
  expect(await runCli(["token", "list", "--json"], json.io)).toBe(0);
  expect(JSON.parse(json.io.out())).toEqual({ tokens });
});

test.each(["revoke", "delete"])("%s takes an id or a name", async (verb) => {
  const { io, server } = await setUp({ tokens: [tokenInfo()] });
  expect(await runCli(["token", verb, "ci"], io)).toBe(0);
  expect(server.requests).toEqual(["DELETE /api/v1/tokens/ci"]);
  expect(io.out()).toBe("ci is revoked\n");
  expect(await runCli(["token", verb, "gone"], io)).toBe(1);
  expect(io.err()).toContain('No token is named "gone"');
});
