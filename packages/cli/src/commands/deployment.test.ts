import { afterEach, expect, test } from "vitest";
import { deploymentDetail, startControlServer, TOKEN, type ControlServer, type ControlServerData } from "../control-server.fixture.ts";
import { runCli } from "../run-cli.ts";
import { createTestIo, type TestIo, type TestIoOptions } from "../test-io.fixture.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function setUp(
  data: ControlServerData = { deployments: [deploymentDetail()] },
  options: TestIoOptions = {},
): Promise<{ io: TestIo; server: ControlServer }> {
  const server = await startControlServer(data);
  const io = createTestIo({ ...options, env: { SAMOVAR_URL: server.url, SAMOVAR_TOKEN: TOKEN, NO_COLOR: "1" } });
  cleanUps.push(() => server.dispose(), io.remove);
  return { io, server };
}

const failing = deploymentDetail({
  name: "transcribe",
  kind: "cls",
  pool: {
    state: "failing",
    reason: "start hook load threw Error: no model\ntried again in 4 s",
    containers: { starting: 1, ready: 0, draining: 0 },
    pending: 12,
    running: 0,
  },
});

test("list shows each deployment's active version, and why one is not serving", async () => {
  const stopped = deploymentDetail({ name: "old", state: "stopped" });
  const { io } = await setUp({ deployments: [deploymentDetail(), failing, stopped] });
  expect(await runCli(["deployment", "list"], io)).toBe(0);
  expect(io.out()).toMatchInlineSnapshot(`
    "NAME        KIND      APP     VERSION  STATE    CONTAINERS  PENDING  RUNNING  DEPLOYED
    predict     endpoint  models        2  ready    1 ready           0        1   2 h ago
    transcribe  cls       models        2  failing  1 starting       12        0   2 h ago
      └ start hook load threw Error: no model
        tried again in 4 s
    old         endpoint  models        2  stopped  1 ready           0        1   2 h ago
    "
  `);
});

test("list with nothing deployed says how to deploy", async () => {
  const { io } = await setUp({});
  expect(await runCli(["deployment", "list"], io)).toBe(0);
  expect(io.out()).toBe("");
  expect(io.err()).toContain("samovar deploy FILE");
});

test("inspect shows versions, the active one marked, and what was scaled", async () => {
  const { io } = await setUp({
    deployments: [deploymentDetail({ scaling: { minContainers: 2, maxContainers: null, scaledownWindowMs: null }, pool: failing.pool })],
  });
  expect(await runCli(["deployment", "inspect", "predict"], io)).toBe(0);
  expect(io.out()).toMatchInlineSnapshot(`
    "predict  failing: start hook load threw Error: no model
              tried again in 4 s
    function  endpoint, version 2, app models fn_2
    url       http://127.0.0.1:8700/endpoint/predict
    pool      1 starting; 12 pending, 0 running
    scaled    min 2, max none, window never (since the last deploy)
    deployed  2 h ago

    VERSION          STATE  CONTAINERS  DEPLOYED  CODE          DEPLOY  URL
          2  active  ready  1 ready      2 h ago  222222222222  dp_2    http://127.0.0.1:8700/endpoint/predict@2
          1          idle   0            1 d ago  111111111111  dp_1    http://127.0.0.1:8700/endpoint/predict@1
    "
  `);
});

test.each([
  [["deployment", "list"], "list"],
  [["deployment", "inspect", "predict"], "detail"],
  [["deployment", "start", "predict"], "detail"],
])("%j --json prints exactly what the server said, on one line", async (argv, shape) => {
  const detail = deploymentDetail();
  const { io } = await setUp({ deployments: [detail] });
  expect(await runCli([...argv, "--json"], io)).toBe(0);
  expect(io.out().trimEnd()).not.toContain("\n");
  expect(JSON.parse(io.out())).toEqual(shape === "list" ? { deployments: [detail] } : detail);
  expect(io.err()).toBe("");
});

test("stop and start say what they did", async () => {
  const { io, server } = await setUp();
  expect(await runCli(["deployment", "stop", "predict"], io)).toBe(0);
  expect(await runCli(["deployment", "start", "predict"], io)).toBe(0);
  expect(server.requests).toEqual(["POST /api/v1/deployments/predict/stop", "POST /api/v1/deployments/predict/start"]);
  expect(io.out()).toBe(
    "predict is stopped: running inputs finish, new calls are refused until `samovar deployment start predict`\n" +
      "predict takes calls again: version 2 at http://127.0.0.1:8700/endpoint/predict\n",
  );
});

test("a name that is none is told as the server tells it, with near ones", async () => {
  const { io } = await setUp();
  expect(await runCli(["deployment", "inspect", "pedict"], io)).toBe(1);
  expect(io.err()).toContain('error (not_found): No deployment is named "pedict". Did you mean predict?');
});

test.each([
  [["predict", "2"], { minContainers: 2 }],
  [["predict", "--min", "1", "--max", "none", "--buffer", "0"], { minContainers: 1, maxContainers: null, bufferContainers: 0 }],
  [["predict", "--max", "4", "--window", "5m", "--tasks", "8"], { maxContainers: 4, scaledownWindowMs: 300_000, tasksPerContainer: 8 }],
  [["predict", "--window", "never"], { scaledownWindowMs: null }],
])("scale %j sends what is named and nothing else", async (argv, patch) => {
  const { io, server } = await setUp();
  expect(await runCli(["deployment", "scale", ...argv], io)).toBe(0);
  expect(server.requests).toEqual(["PATCH /api/v1/functions/predict/scaling"]);
  expect(server.bodies).toEqual([patch]);
});

test.each([
  [["predict"], /Nothing is said about how to scale/],
  [["predict", "2", "--min", "3"], /The floor is given twice: 2 and --min 3/],
  [["predict", "--max", "0"], /a number from 1, or none/],
  [["predict", "-1"], /unknown option|invalid/],
  [["predict", "--window", "soon"], /such as 30s or 5m/],
  [["predict", "--window", "1s"], /--window.*'1s' is invalid.*at least 2 s/],
])("scale %j is refused before the server hears of it", async (argv, message) => {
  const { io, server } = await setUp();
  expect(await runCli(["deployment", "scale", ...argv], io)).toBe(1);
  expect(io.err()).toMatch(message);
  expect(server.requests).toEqual([]);
});

test.each([
  [["predict"], "POST /api/v1/deployments/predict/rollback", {}, "predict is at version 1"],
  [["predict", "1"], "POST /api/v1/deployments/predict/rollback", { version: 1 }, "predict is at version 1"],
  [["predict", "--to", "7"], "POST /api/v1/deployments/predict/rollback", { version: 7 }, "predict is at version 7"],
  [["--app", "models"], "POST /api/v1/apps/models/rollback", {}, "predict is at version 2"],
])("rollback %j", async (argv, request, body, told) => {
  const { io, server } = await setUp();
  expect(await runCli(["deployment", "rollback", ...argv], io)).toBe(0);
  expect(server.requests).toEqual([request]);
  expect(server.bodies).toEqual([body]);
  expect(io.out()).toContain(told);
});

test.each([
  [[], /Nothing is named that goes back/],
  [["predict", "--app", "models"], /Both a deployment, predict, and --app models are named/],
  [["--app", "models", "--to", "2"], /--to 2 is one deployment's version/],
  [["predict", "1", "--to", "2"], /Two versions are given: 1 and --to 2/],
  [["predict", "zero"], /number of a version/],
])("rollback %j is refused: it is not clear what goes back", async (argv, message) => {
  const { io, server } = await setUp();
  expect(await runCli(["deployment", "rollback", ...argv], io)).toBe(1);
  expect(io.err()).toMatch(message);
  expect(server.requests).toEqual([]);
});

test("delete asks at a terminal, and only yes is yes", async () => {
  const asked = await setUp(undefined, { isTTY: true, stdin: "\n" });
  expect(await runCli(["deployment", "delete", "predict"], asked.io)).toBe(1);
  expect(asked.io.err()).toBe("Delete predict with all of its 2 versions? Calls to it will fail [y/N] Nothing was deleted\n");
  expect(asked.server.requests).toEqual(["GET /api/v1/deployments/predict"]);

  const yes = await setUp(undefined, { isTTY: true, stdin: "yes\nmore" });
  expect(await runCli(["deployment", "delete", "predict@1"], yes.io)).toBe(0);
  expect(yes.io.err()).toContain("Delete version 1 of predict? [y/N] ");
  expect(yes.io.out()).toBe("predict@1 is deleted\n");
  expect(yes.server.requests.at(-1)).toBe("DELETE /api/v1/deployments/predict?version=1");
});

test.each([true, false])("delete with --yes asks nobody (at a terminal: %j)", async (isTTY) => {
  const { io, server } = await setUp(undefined, { isTTY });
  expect(await runCli(["deployment", "delete", "predict", "--yes"], io)).toBe(0);
  expect(server.requests).toEqual(["DELETE /api/v1/deployments/predict"]);
});

test("delete without a terminal and without --yes deletes nothing, and says what to add", async () => {
  const { io, server } = await setUp();
  expect(await runCli(["deployment", "delete", "predict@1"], io)).toBe(1);
  expect(io.err()).toMatch(/Nobody can be asked whether to delete predict@1[^]*--yes/);
  expect(server.requests).toEqual([]);
});

test("delete of a version that is no number is refused", async () => {
  const { io } = await setUp();
  expect(await runCli(["deployment", "delete", "predict@last"], io)).toBe(1);
  expect(io.err()).toContain('"predict@last" is neither a name nor NAME@VERSION');
});

test("a Ctrl-C at the question deletes nothing", async () => {
  const { io, server } = await setUp(undefined, { isTTY: true });
  const silent = (async function* () {
    await new Promise(() => {});
    yield Buffer.alloc(0);
  })();
  const running = runCli(["deployment", "delete", "predict"], { ...io, stdin: silent });
  await io.sees(/\[y\/N\]/);
  io.signal("SIGINT");
  expect(await running).toBe(130);
  expect(server.requests).toEqual(["GET /api/v1/deployments/predict"]);
});
