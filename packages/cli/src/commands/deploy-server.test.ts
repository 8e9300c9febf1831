import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ContainerInfo, DeploymentDetail } from "@samovar/protocol";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { runCli } from "../run-cli.ts";
import { NOTHING_TO_CHECK, createTestIo, type TestIo } from "../test-io.fixture.ts";

// Servers, bundles and containers: on a machine that is busy with other things that takes its time.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** One real server for all of them, which stays between commands. */
let server: TestIo;
const made: TestIo[] = [];

beforeAll(async () => {
  server = createTestIo({ env: { SAMOVAR_LOG_LEVEL: "warn", SAMOVAR_DRIVER: "process" } });
  await cli(["up", "-d", "--port", "0"], server);
});
afterAll(async () => {
  await cli(["down"]);
  removeMade();
  server.remove();
});
afterEach(removeMade);

function removeMade(): void {
  for (const io of made.splice(0)) io.remove();
}

function create(files: Readonly<Record<string, string>> = {}, env: Readonly<Record<string, string>> = {}): TestIo {
  const io = createTestIo({ env: { SAMOVAR_HOME: server.env.SAMOVAR_HOME, ...env } });
  made.push(io);
  for (const [name, text] of Object.entries({ "tsconfig.json": NOTHING_TO_CHECK, ...files })) writeFileSync(join(io.folder, name), text);
  return io;
}

async function cli(argv: readonly string[], io: TestIo = create()): Promise<string> {
  const code = await runCli(argv, io);
  expect({ code, err: code === 0 ? "" : io.err() }).toEqual({ code: 0, err: "" });
  return io.out();
}

const inspect = async (name: string): Promise<DeploymentDetail> => JSON.parse(await cli(["deployment", "inspect", name, "--json"])) as DeploymentDetail;
const deploy = async (source: string, ...argv: string[]): Promise<{ functions: { name: string; version: number; url: string }[]; left: { name: string }[] }> =>
  JSON.parse(await cli(["deploy", "app.ts", "--json", ...argv], create({ "app.ts": source }))) as never;
const call = async (url: string, token?: string): Promise<unknown> => {
  const response = await fetch(url, {
    method: "POST",
    body: "{}",
    headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) },
  });
  return response.ok ? response.json() : response.status;
};

const app = (name: string, value: number, options = "", more = ""): string =>
  `import { App, endpoint } from "samovar";\nconst app = new App("${name}-app");\nexport const ${name} = app.endpoint({ authorized: false, ${options} }, () => ${value});\n${more}`;

test("a deploy is called by its URL, the next replaces it, and rollback brings it back", async () => {
  const first = await deploy(app("turn", 1));
  expect(first.functions).toMatchObject([{ name: "turn", kind: "endpoint", version: 1 }]);
  const { url } = first.functions[0]!;
  expect(await call(url)).toBe(1);
  expect(await deploy(app("turn", 2))).toMatchObject({ functions: [{ version: 2, url }] });
  expect(await call(url)).toBe(2);
  expect(await call(`${url}@1`)).toBe(1);

  expect(await cli(["deployment", "rollback", "turn"])).toBe(`turn is at version 1: ${url}\n`);
  expect(await call(url)).toBe(1);
  expect((await inspect("turn")).versions.map(({ version, active }) => [version, active])).toEqual([
    [2, false],
    [1, true],
  ]);
  expect(await cli(["deployment", "delete", "turn@2", "--yes"])).toBe("turn@2 is deleted\n");
  const admin = readFileSync(join(server.env.SAMOVAR_HOME!, "admin-token"), "utf8").trim();
  expect(await call(`${url}@2`, admin)).toBe(404);
  await cli(["deployment", "delete", "turn", "-y"]);
  expect(await call(url, admin)).toBe(404);
});

test("what its onDeploy prints is told; one that fails changes nothing", async () => {
  const io = create({ "app.ts": app("hooked", 1, 'onDeploy: () => console.log("preparing")') });
  const out = await cli(["deploy", "app.ts"], io);
  expect(io.err()).toContain("[hooked onDeploy] preparing\n");
  const url = /http:\S+/.exec(out)![0];
  const failing = create({ "app.ts": app("hooked", 2, 'onDeploy: () => { throw new Error("no database"); }') });
  expect(await runCli(["deploy", "app.ts", "--json"], failing)).toBe(1);
  expect(failing.out()).toBe("");
  expect(failing.err()).toMatch(/error \(deploy_failed\)[\s\S]*no database/);
  expect(await call(url)).toBe(1);
  expect((await inspect("hooked")).versions).toHaveLength(1);
});

test("Ctrl-C in the middle gives it up: nothing changes, and its containers go", async () => {
  const io = create({ "app.ts": app("slow", 1, 'onDeploy: async () => { console.log("hanging"); await new Promise(() => setInterval(() => {}, 1000)); }') });
  const running = runCli(["deploy", "app.ts"], io);
  await io.sees(/\[slow onDeploy\] hanging/);
  io.signal("SIGINT");
  expect(await running).toBe(130);
  const missing = create();
  expect(await runCli(["deployment", "inspect", "slow"], missing)).toBe(1);
  expect(missing.err()).toContain("not_found");
  const live = async (): Promise<string[]> =>
    (JSON.parse(await cli(["container", "list", "--json"])) as { containers: ContainerInfo[] }).containers.map((each) => each.function);
  await expect.poll(live, { timeout: 60_000 }).not.toContain("slow");
});

test("a function that left the module stays until it is pruned; one may be deployed under another name", async () => {
  await deploy(app("kept", 1, "", 'export const gone = app.endpoint({}, () => "gone");'));
  expect((await deploy(app("kept", 2))).left).toMatchObject([{ name: "gone" }]);
  const io = create({ "app.ts": app("kept", 3) });
  await cli(["deploy", "app.ts", "--prune"], io);
  expect(io.err()).toContain("Stopped, because the module no longer has it: gone\n");
  expect((await inspect("gone")).state).toBe("stopped");

  const { functions } = await deploy(app("kept", 4), "--name", "renamed");
  expect(functions).toMatchObject([{ name: "renamed", version: 1 }]);
  expect(await call(functions[0]!.url)).toBe(4);
  expect(await cli(["ps"])).toMatch(/kept +endpoint +kept-app +3 .* deployed\n/);
});

test("a function that was deployed under another name still calls itself", async () => {
  const source =
    'import { fn } from "samovar";\nexport const fact = fn({ authorized: false, concurrency: 8 }, async (n: number): Promise<number> => (n <= 1 ? 1 : n * (await fact.remote(n - 1))));\n';
  const { url } = (await deploy(source, "--app", "fact-app", "--name", "factorial")).functions[0]!;
  const response = await fetch(url, { method: "POST", body: "4", headers: { "content-type": "application/json", prefer: "wait=30" } });
  expect(await response.json()).toBe(24);
});

test("a stopped deployment refuses calls until it is started; scaling lasts until the next deploy", async () => {
  const { url } = (await deploy(app("held", 1))).functions[0]!;
  await cli(["deployment", "stop", "held"]);
  expect(await call(url)).toBe(503);
  await cli(["deployment", "start", "held"]);
  expect(await call(url)).toBe(1);
  await cli(["deployment", "scale", "held", "1", "--max", "2", "--window", "never"]);
  expect((await inspect("held")).scaling).toEqual({ minContainers: 1, maxContainers: 2, scaledownWindowMs: null });
  await deploy(app("held", 2));
  expect((await inspect("held")).scaling).toEqual({});
});

test("a token may do what its scopes say, until it is revoked", async () => {
  const source = 'import { endpoint } from "samovar";\nexport const closed = endpoint({}, () => ({ open: true }));\n';
  const { url } = (await deploy(source, "--app", "closed-app")).functions[0]!;
  expect(await call(url)).toBe(401);
  const token = (await cli(["token", "create", "caller", "--app", "closed-app", "--expires", "1h"])).trim();
  expect(await call(url, token)).toEqual({ open: true });
  const forbidden = create({ "app.ts": source }, { SAMOVAR_TOKEN: token });
  expect(await runCli(["deploy", "app.ts", "--app", "closed-app"], forbidden)).toBe(1);
  expect(forbidden.err()).toContain("error (forbidden)");
  expect(await cli(["token", "list"])).toMatch(/caller +invoke +closed-app/);
  await cli(["token", "revoke", "caller"]);
  expect(await call(url, token)).toBe(401);
});

test("another app's name is refused with both named, and taken with --take-over", async () => {
  await deploy(app("shared", 1));
  const other = app("shared", 2).replace("shared-app", "other-app");
  const refused = create({ "app.ts": other });
  expect(await runCli(["deploy", "app.ts"], refused)).toBe(1);
  expect(refused.err()).toMatch(/error \(conflict\).*shared-app/);
  expect((await deploy(other, "--take-over")).functions[0]).toMatchObject({ name: "shared" });
});

const QUEUE = `import { App } from "samovar";
const app = new App("queues");
export const count = app.taskQueue({ retries: 0 }, (text: string) => {
  console.log("counting", text);
  if (text === "") throw new TypeError("nothing to count");
  return text.split(" ").length;
});
export const tidy = app.schedule({ when: "0 9 * * *", timezone: "Europe/Berlin" }, () => "tidy");
`;

test("tasks are put, waited for, found among those that failed, tried again; a run of the module leaves its deployed schedule alone", async () => {
  const io = create({ "app.ts": QUEUE });
  expect(await cli(["deploy", "app.ts"], io)).toMatch(/ {2}tidy {2}0 9 \* \* \*, next \d{4}-\d\d-\d\d \d\d:\d\d:00 \(in /);
  expect(await cli(["task", "put", "count", "--input", '"a b c"', "--wait"])).toBe("3\n");
  const failing = create();
  expect(await runCli(["task", "put", "count", "--input", '""', "--wait"], failing)).toBe(1);
  expect(failing.err()).toMatch(/TypeError: nothing to count\n {4}at .*app\.ts:5/);

  const { tasks } = JSON.parse(await cli(["task", "list", "--failed", "--function", "count", "--json"])) as { tasks: { id: string }[] };
  expect(tasks).toHaveLength(1);
  const id = tasks[0]!.id;
  expect(await cli(["task", "retry", "--failed", "--function", "count", "--yes"])).toBe("1 task is queued once more\n");
  const followed = create();
  expect(await runCli(["task", "get", id, "--follow"], followed)).toBe(1);
  expect(followed.out()).toMatch(/ count ERROR attempt 2: TypeError: nothing to count\n[\s\S]*ATTEMPT [\s\S]* 2 /);
  expect(await cli(["task", "logs", id])).toMatch(/counting[\s\S]*counting/);

  const run = create({ "app.ts": QUEUE });
  expect(await cli(["run", "app.ts:tidy"], run)).toBe('"tidy"\n');
  expect(await cli(["run", "app.ts:count", "--input", '"x y"'], create({ "app.ts": QUEUE }))).toBe("2\n");
  expect(await cli(["schedule", "run", "tidy", "--wait"])).toBe('"tidy"\n');
  expect(await cli(["schedule", "pause", "tidy"])).toContain("tidy is paused");
});

test("a backup of a server that runs comes up in another home, with what was deployed, waited and paused", async () => {
  await cli(["deploy", "app.ts"], create({ "app.ts": QUEUE }));
  await cli(["schedule", "pause", "tidy"]);
  const id = (await cli(["task", "put", "count", "--input", '"d e"', "--delay", "1h"])).trim();
  const io = create();
  expect(await cli(["backup", "all.tar"], io)).toMatch(/^Wrote .*all\.tar: [\d.]+ [KM]iB in /);
  const again = create();
  expect(await runCli(["backup", join(io.folder, "all.tar")], again)).toBe(1);
  expect(again.err()).toContain("is there already");
  const held = create();
  expect(await runCli(["restore", join(io.folder, "all.tar"), "--force"], held)).toBe(1);
  expect(held.err()).toContain("error (home_locked)");

  const other = createTestIo({ env: { SAMOVAR_LOG_LEVEL: "warn", SAMOVAR_DRIVER: "process" } });
  try {
    expect(await cli(["restore", join(io.folder, "all.tar")], other)).toContain(`Restored ${other.env.SAMOVAR_HOME}`);
    await cli(["up", "-d", "--port", "0"], other);
    const there = (): TestIo => create({}, { SAMOVAR_HOME: other.env.SAMOVAR_HOME! });
    expect(JSON.parse(await cli(["task", "get", id, "--json"], there()))).toMatchObject({ status: "PENDING", input: "d e" });
    expect(await cli(["schedule", "list"], there())).toMatch(/tidy .* paused /);
    expect(await cli(["task", "put", "count", "--input", '"d e f g"', "--wait"], there())).toBe("4\n");
    await cli(["down"], there());
  } finally {
    other.remove();
  }
});
