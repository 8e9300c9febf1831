import { setImmediate as turn } from "node:timers/promises";
import { expect, test, type TestContext } from "vitest";
import { shop, type ShopOptions } from "./deployments.app.fixture.ts";
import { TestHome, processEnded } from "./test-home.fixture.ts";

async function createHome({ onTestFinished }: Pick<TestContext, "onTestFinished">): Promise<TestHome> {
  const home = await TestHome.create();
  onTestFinished(() => home.dispose());
  await home.ok(["up", "-d", "--port", "0"]);
  return home;
}

interface Deployed {
  readonly app: string;
  readonly functions: readonly { readonly name: string; readonly kind: string; readonly version: number; readonly id: string; readonly url: string }[];
}

async function deploy(home: TestHome, options: ShopOptions, args: readonly string[] = []): Promise<Deployed> {
  home.write("app.ts", shop(options));
  return JSON.parse(await home.ok(["deploy", "app.ts", "--json", "--env", `LIFELINE=${home.lifelines.port}`, ...args])) as Deployed;
}

/** A deploy that fails; returns what it said. */
async function failingDeploy(home: TestHome, options: ShopOptions): Promise<string> {
  home.write("app.ts", shop(options));
  const cli = home.cli(["deploy", "app.ts", "--env", `LIFELINE=${home.lifelines.port}`]);
  expect((await cli.exited).code).toBe(1);
  return cli.err();
}

const page = async (home: TestHome, at = "page", input: unknown = {}) => home.call(`/endpoint/${at}`, input);

/** Calls without a pause until it is stopped, and tells what was not answered as it should be. */
function callOn(home: TestHome, callers: number) {
  const failures: unknown[] = [];
  const seen = new Set<string>();
  let count = 0;
  let stopped = false;
  const caller = async (): Promise<void> => {
    while (!stopped) {
      const answer = await page(home).catch((error: unknown) => ({ status: 0, json: String(error) }));
      count++;
      if (answer.status === 200) seen.add(`${answer.json.version} ${answer.json.text}`);
      else failures.push([answer.status, answer.json]);
      await turn();
    }
  };
  const running = Promise.all(Array.from({ length: callers }, caller));
  return {
    async stop() {
      stopped = true;
      await running;
      return { failures, seen, count };
    },
  };
}

test.concurrent("new versions take over while calls go on: none fails, and each answers as it should", async (context) => {
  const home = await createHome(context);
  await deploy(home, { text: "v1" });
  const calls = callOn(home, 6);
  for (const text of ["v2", "v3", "v4"]) await deploy(home, { text });
  await home.ok(["deployment", "rollback", "page", "2"]);
  const { failures, seen, count } = await calls.stop();
  expect(failures).toEqual([]);
  expect(count).toBeGreaterThan(20);
  for (const answer of seen) expect(["1 v1", "2 v2", "3 v3", "4 v4"]).toContain(answer);
  expect((await page(home)).json).toMatchObject({ version: 2, text: "v2" });
  expect((await page(home, "page@4", { sibling: true })).json).toMatchObject({ version: 4, sibling: "v4" });
  await home.endServer();
});

test.concurrent("a call that runs is finished by the version that began it; its siblings are of the same deploy", async (context) => {
  const home = await createHome(context);
  await deploy(home, { text: "old" });
  const held = page(home, "page", { hold: true, sibling: true });
  const running = await home.lifelines.next("running");
  await deploy(home, { text: "new" });
  expect((await page(home, "page", { sibling: true })).json).toMatchObject({ version: 2, sibling: "new" });
  running.go();
  const answer = await held;
  expect(answer.json).toMatchObject({ text: "old", version: 1, sibling: "old" });
  expect(answer.headers.get("x-samovar-version")).toBe("1");
  await home.endServer();
});

test.concurrent("what is deployed outlives the server: same ids, onDeploy not run again, the floor warm before the first call", async (context) => {
  const home = await createHome(context);
  const { functions } = await deploy(home, { text: "kept", page: "minContainers: 1" });
  const before = (await page(home)).json;
  await home.ok(["down"]);
  await home.ok(["up", "-d", "--port", "0"]);
  expect(JSON.parse(await home.ok(["deployment", "list", "--json"]))).toMatchObject({
    deployments: expect.arrayContaining([expect.objectContaining({ name: "page", id: functions.find(({ name }) => name === "page")!.id, state: "active" })]),
  });
  expect((await page(home)).json).toEqual(before);
  await home.endServer();
});

test.concurrent("a version that is broken is never activated, and the deploy says what broke it", async (context) => {
  const home = await createHome(context);
  await deploy(home, { text: "good" });
  expect(await failingDeploy(home, { text: "bad", page: 'onStart: () => { throw new Error("no weights") }' })).toMatch(/no weights/);
  expect(await failingDeploy(home, { text: "bad", more: 'export const other = fn({ onDeploy: () => { throw new Error("no schema") } }, () => 1);' })).toMatch(
    /no schema/,
  );
  expect(await failingDeploy(home, { text: "bad", more: "throw new Error('does not load');" })).toMatch(/does not load/);
  expect((await page(home)).json).toMatchObject({ version: 1, text: "good" });
  expect((await page(home, "page@2")).status).toBe(404);
  await home.endServer();
});

for (const signal of ["SIGINT", "SIGKILL"] as const) {
  test.concurrent(`a deploy whose command gets ${signal} half-way changes nothing`, async (context) => {
    const home = await createHome(context);
    await deploy(home, { text: "good" });
    home.write("app.ts", shop({ text: "late", more: 'export const slow = fn({ onDeploy: () => lifeline("deploying") }, () => 1);' }));
    const cli = home.cli(["deploy", "app.ts", "--env", `LIFELINE=${home.lifelines.port}`]);
    const deploying = await home.lifelines.next("deploying");
    cli.kill(signal);
    await deploying.ended;
    expect((await cli.exited).code).toBe(signal === "SIGINT" ? 130 : null);
    expect((await page(home)).json).toMatchObject({ version: 1, text: "good" });
    expect((await page(home, "slow")).status).toBe(404);
    // The next deploy is not held up.
    expect((await deploy(home, { text: "next" })).functions.find(({ name }) => name === "page")!.version).toBe(3);
    await home.endServer();
  });
}

test.concurrent("the server killed in the middle of a deploy comes back with what was deployed before", async (context) => {
  const home = await createHome(context);
  await deploy(home, { text: "good" });
  home.write("app.ts", shop({ text: "late", page: 'onStart: () => lifeline("starting")' }));
  const cli = home.cli(["deploy", "app.ts", "--env", `LIFELINE=${home.lifelines.port}`]);
  const starting = await home.lifelines.next("starting");
  process.kill(home.server.pid, "SIGKILL");
  expect((await cli.exited).code).toBe(1);
  starting.go();
  await starting.ended;
  await home.ok(["up", "-d", "--port", "0"]);
  expect((await page(home)).json).toMatchObject({ version: 1, text: "good" });
  const { pid } = home.server;
  await home.ok(["down"]);
  await processEnded(pid);
});

test.concurrent("stop refuses calls with the way back, start serves again, delete ends it", async (context) => {
  const home = await createHome(context);
  await deploy(home, { text: "v1" });
  await home.ok(["deployment", "stop", "page"]);
  expect(await page(home)).toMatchObject({ status: 503, json: { code: "stopped", detail: expect.stringContaining("samovar deployment start page") } });
  await home.ok(["deployment", "start", "page"]);
  expect((await page(home)).status).toBe(200);
  await deploy(home, { text: "v2" });
  await home.ok(["deployment", "delete", "page@1", "--yes"]);
  expect((await page(home, "page@1")).status).toBe(404);
  const rollback = home.cli(["deployment", "rollback", "page", "1"]);
  expect((await rollback.exited).code).toBe(1);
  expect(rollback.err()).toMatch(/page has no version 1: it was deleted, or never was/);
  await home.ok(["deployment", "delete", "page", "-y"]);
  expect((await page(home)).status).toBe(404);
  await home.endServer();
});

test.concurrent("a token of one app does nothing to another", async (context) => {
  const home = await createHome(context);
  await deploy(home, { text: "mine" });
  const token = (await home.ok(["token", "create", "other", "--scope", "invoke,deploy", "--app", "other"])).trim();
  expect(await home.call("/endpoint/page", {}, { token })).toMatchObject({ status: 403, json: { code: "forbidden" } });
  expect(await home.call("/api/v1/deployments/page/stop", undefined, { token })).toMatchObject({ status: 403 });
  home.write("app.ts", shop({ text: "stolen" }));
  const cli = home.cli(["deploy", "app.ts"], { SAMOVAR_URL: home.server.url, SAMOVAR_TOKEN: token });
  expect((await cli.exited).code).toBe(1);
  expect((await page(home)).json.text).toBe("mine");
  await home.endServer();
});
