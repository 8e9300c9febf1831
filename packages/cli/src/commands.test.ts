import { afterEach, expect, test } from "vitest";
import { containerInfo, functionInfo, logLine, startControlServer, TOKEN, type ControlServer, type ControlServerData } from "./control-server.fixture.ts";
import { runCli } from "./run-cli.ts";
import { createTestIo, type TestIo } from "./test-io.fixture.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function setUp(data: ControlServerData = {}, env: Record<string, string> = {}): Promise<{ io: TestIo; server: ControlServer }> {
  const server = await startControlServer(data);
  const io = createTestIo({ env: { SAMOVAR_URL: server.url, SAMOVAR_TOKEN: TOKEN, ...env } });
  cleanUps.push(() => server.dispose(), io.remove);
  return { io, server };
}

test("ps shows every function, and the reason under each that is not serving", async () => {
  const failing = functionInfo({
    id: "fn_2",
    name: "transcribe",
    kind: "cls",
    state: "failing",
    reason: "start hook load threw Error: no model\ntried again in 4 s",
    containers: { starting: 1, ready: 0, draining: 0 },
    pending: 12,
    running: 0,
    session: "app.ts",
  });
  const { io } = await setUp({ functions: [functionInfo(), failing] });
  expect(await runCli(["ps"], io)).toBe(0);
  expect(io.out()).toMatchInlineSnapshot(`
    "NAME        KIND      APP     VERSION  STATE    CONTAINERS  PENDING  RUNNING  FROM
    predict     endpoint  models        2  ready    1 ready           0        1  deployed
    transcribe  cls       models        2  failing  1 starting       12        0  app.ts
      └ start hook load threw Error: no model
        tried again in 4 s
    "
  `);
});

test("ps with no functions says how to get some, and prints nothing to stdout", async () => {
  const { io } = await setUp();
  expect(await runCli(["ps"], io)).toBe(0);
  expect(io.out()).toBe("");
  expect(io.err()).toContain("samovar serve FILE");
});

test.each([
  ["ps", ["ps", "--json"], { functions: [functionInfo()] }],
  ["container list", ["container", "list", "--json"], { containers: [containerInfo()] }],
  ["container inspect", ["container", "inspect", "ct_alpha", "--json"], containerInfo()],
])("%s --json prints exactly what the server said, on one line", async (_name, argv, expected) => {
  const { io } = await setUp({ functions: [functionInfo()], containers: [containerInfo()] });
  expect(await runCli(argv, io)).toBe(0);
  expect(io.out().trimEnd()).not.toContain("\n");
  expect(JSON.parse(io.out())).toEqual(expected);
});

test("status names the server, its driver and what is missing here", async () => {
  const { io, server } = await setUp();
  expect(await runCli(["status"], io)).toBe(0);
  expect(io.out().replace(server.url, "URL")).toMatchInlineSnapshot(`
    "Samovar 0.1.0 at URL (pid 4242, stays until \`samovar down\`)
    home      /srv/samovar
    driver    process, isolation: none
      !       Memory is measured, not limited by the kernel: run as root for control groups
    up for    2 min
    "
  `);
});

test("status without a server exits with 1 and says how to start one", async () => {
  const io = createTestIo();
  cleanUps.push(io.remove);
  expect(await runCli(["status"], io)).toBe(1);
  expect(io.out()).toContain("samovar up");
  const json = createTestIo();
  cleanUps.push(json.remove);
  expect(await runCli(["status", "--json"], json)).toBe(1);
  expect(JSON.parse(json.out())).toEqual({ running: false, home: json.env.SAMOVAR_HOME });
});

test("ps without a server is an error that says how to start one", async () => {
  const io = createTestIo();
  cleanUps.push(io.remove);
  expect(await runCli(["ps"], io)).toBe(1);
  expect(io.err()).toBe(
    `error (server_unreachable): No server runs with the home ${io.env.SAMOVAR_HOME}\n  → Start one with \`samovar up\`, or set SAMOVAR_URL to one that runs elsewhere\n`,
  );
});

test("a server that does not answer is named", async () => {
  const { io, server } = await setUp();
  await server.dispose();
  cleanUps.shift();
  expect(await runCli(["ps"], io)).toBe(1);
  expect(io.err()).toContain(`No server answers at ${server.url}: ECONNREFUSED`);
});

test("a wrong token is told as the server tells it", async () => {
  const { io } = await setUp({}, { SAMOVAR_TOKEN: "wrong" });
  expect(await runCli(["ps"], io)).toBe(1);
  expect(io.err()).toContain("error (unauthorized): The token is unknown\n  → Set SAMOVAR_TOKEN to a token of this server");
});

test("container inspect draws the phases; a beginning of the id is enough", async () => {
  const { io } = await setUp({ containers: [containerInfo({ parameters: ["large"] }), containerInfo({ id: "ct_beta" })] });
  expect(await runCli(["container", "inspect", "ct_a"], io)).toBe(0);
  expect(io.out().replace(/\d\d:\d\d:\d\d/g, "hh:mm:ss")).toMatchInlineSnapshot(`
    "ct_alpha  ready
    function  predict, version 2, app models fn_1
    with      ["large"]
    driver    process, pid 77, 1 worker
    inputs    0 running, 5 done, 1 failed
    started   hh:mm:ss.000, ended hh:mm:ss.500

    Start 200 ms
      create              ████████████                                                   40 ms
      load w0                         ██████████████████                                 60 ms
      start loadModel w0                                ██████████████████████████████  100 ms

    End 8 ms
      stop close w0  ██████████████████████▌                                       3 ms
      exit                                 ██████████████████████████████████████  5 ms
    "
  `);
});

test("an id that several containers begin with lists them", async () => {
  const { io } = await setUp({ containers: [containerInfo(), containerInfo({ id: "ct_beta" })] });
  expect(await runCli(["container", "stop", "ct_"], io)).toBe(1);
  expect(io.err()).toContain("2 containers have an id that begins with ct_: ct_alpha, ct_beta");
});

test("container stop asks for a drain, with --force for a kill", async () => {
  const { io, server } = await setUp({ containers: [containerInfo()] });
  expect(await runCli(["container", "stop", "ct_alpha"], io)).toBe(0);
  expect(await runCli(["container", "stop", "ct_alpha", "--force"], io)).toBe(0);
  expect(server.requests.filter((request) => request.startsWith("POST"))).toEqual([
    "POST /api/v1/containers/ct_alpha/stop",
    "POST /api/v1/containers/ct_alpha/stop?force=1",
  ]);
  expect(io.out()).toBe("ct_alpha drains and stops\nct_alpha is killed\n");
});

test("container list shows what each did and why it is not well", async () => {
  const { io } = await setUp({ containers: [containerInfo({ state: "ended", reason: "exit 3" })] });
  expect(await runCli(["container", "list", "--all"], io)).toBe(0);
  expect(io.out()).toMatchInlineSnapshot(`
    "ID        FUNCTION  VERSION  STATE  WORKERS  RUNNING  DONE  FAILED     AGE
    ct_alpha  predict         2  ended        1        0     5       1  500 ms
      └ exit 3
    "
  `);
});

test("logs prints each line with its time and where it comes from", async () => {
  const lines = [logLine(), logLine({ text: "loading", source: { kind: "hook", hook: "loadModel", phase: "start" } })];
  const { io, server } = await setUp({ logs: lines });
  expect(await runCli(["logs", "predict", "--tail", "5"], io)).toBe(0);
  expect(server.requests).toEqual(["GET /api/v1/logs?tail=5&name=predict"]);
  expect(io.out().replace(/\d\d:\d\d:\d\d/g, "hh:mm:ss")).toBe("hh:mm:ss.000 [predict] hello\nhh:mm:ss.000 [predict loadModel] loading\n");
});

test("logs of a name that is only served are found without the suffix that serving adds", async () => {
  const { io, server } = await setUp({
    logs: [logLine()],
    functions: [functionInfo({ name: "hello-dev", session: "app.ts" }), functionInfo({ name: "other" })],
  });
  expect(await runCli(["logs", "hello"], io)).toBe(0);
  expect(io.out()).toContain("hello");
  expect(server.requests.at(-1)).toBe("GET /api/v1/logs?tail=100&name=hello-dev");
  expect(await runCli(["logs", "gone"], io)).toBe(1);
  expect(io.err()).toContain('No function is named "gone"');
});

test("logs --json prints one object for each line", async () => {
  const { io } = await setUp({ logs: [logLine(), logLine({ text: "two" })], containers: [containerInfo()] });
  expect(await runCli(["container", "logs", "ct_alpha", "--json"], io)).toBe(0);
  expect(
    io
      .out()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([logLine(), logLine({ text: "two" })]);
});

test("Ctrl-C ends a followed log with 130 and no error", async () => {
  const { io } = await setUp({ logs: [logLine()], followsForever: true });
  const running = runCli(["logs", "-f"], io);
  await io.sees(/hello/);
  io.signal("SIGINT");
  expect(await running).toBe(130);
  expect(io.err()).toBe("");
});

test("down without a server has nothing to do", async () => {
  const io = createTestIo();
  cleanUps.push(io.remove);
  expect(await runCli(["down"], io)).toBe(0);
  expect(io.err()).toContain("No server runs");
});

test.each([
  [["task", "get", "tk_9"], "task list"],
  [["task", "logs", "tk_9"], "task list"],
  [["schedule", "pause", "nope"], "schedule list"],
  [["callback", "retry", "cb_9"], "callback list"],
  [["deployment", "stop", "nope"], "deployment list"],
  [["logs", "nope"], "ps"],
])("%j of what is not there names the command that lists what is", async (argv, list) => {
  const { io } = await setUp({ functions: [functionInfo()] });
  expect(await runCli(argv, io)).toBe(1);
  expect(io.err()).toMatch(new RegExp(`^error \\(not_found\\): .*\n {2}→ \`samovar ${list}\` shows what there is\n$`));
});
