import { expect, test, type TestContext } from "vitest";
import { ENDINGS_APP } from "./endings.app.fixture.ts";
import { TestHome, processEnded } from "./test-home.fixture.ts";

/** Its own home for each: they run side by side, since most of their time is other processes' start. */
async function createHome({ onTestFinished }: Pick<TestContext, "onTestFinished">): Promise<TestHome> {
  const home = await TestHome.create({ "app.ts": ENDINGS_APP });
  onTestFinished(() => home.dispose());
  return home;
}

async function expectNothingLeft(home: TestHome): Promise<void> {
  await home.quiet();
  expect(await home.leaks()).toEqual([]);
}

async function down(home: TestHome): Promise<void> {
  const { pid } = home.server;
  await home.ok(["down"]);
  await processEnded(pid);
  await expectNothingLeft(home);
}

test.concurrent("kill -9 of the command ends its session: stop hooks run, the embedded server goes, nothing is left", async (context) => {
  const home = await createHome(context);
  const cli = home.cli(["run", "app.ts:job", "--input", "1", "--env", `LIFELINE=${home.lifelines.port}`]);
  const running = await home.lifelines.next("running");
  const server = home.server.pid;
  cli.kill("SIGKILL");
  (await home.lifelines.next("stopping interrupt")).go();
  await running.ended;
  await processEnded(server);
  await expectNothingLeft(home);
});

test.concurrent("kill -9 of the server: the runner runs its stop hooks and ends, a new server on the home starts clean", async (context) => {
  const home = await createHome(context);
  await home.ok(["up", "-d", "--port", "0"]);
  const serve = await home.serve();
  const call = home.endpoint("page", 1).catch((error: unknown) => error);
  const running = await home.lifelines.next("running");
  process.kill(home.server.pid, "SIGKILL");
  expect(await call).toBeInstanceOf(TypeError);
  expect((await serve.exited).code).toBe(1);
  expect(serve.err()).toMatch(/server/);
  const stopping = home.lifelines.next("stopping server-lost");
  // What it ran may end, though nobody hears of it.
  running.go();
  (await stopping).go();
  await running.ended;

  await home.ok(["up", "-d", "--port", "0"]);
  expect(await home.containers()).toEqual([expect.objectContaining({ function: "page-dev", state: "ended", reason: "server-lost" })]);
  await down(home);
});

test.concurrent("SIGTERM to a busy server: what runs is answered, what is new is refused, then all is gone", async (context) => {
  const home = await createHome(context);
  await home.ok(["up", "-d", "--port", "0"]);
  const serve = await home.serve();
  const { pid } = home.server;
  const busy = home.endpoint("page", 1);
  const running = await home.lifelines.next("running");
  const session = await home.fetch("/api/v1/sessions", { kind: "run", label: "a session to hear of the end" });
  process.kill(pid, "SIGTERM");
  for await (const chunk of session.body!) if (Buffer.from(chunk).includes('{"type":"closing","reason":"shutdown"}')) break;
  expect(await home.endpoint("page", 1)).toMatchObject({ status: 503, json: { code: "shutting_down" } });
  running.go();
  expect(await busy).toMatchObject({ status: 200, text: "released" });
  (await home.lifelines.next("stopping shutdown")).go();
  await processEnded(pid);
  expect((await serve.exited).code).toBe(1);
  await expectNothingLeft(home);
});

test.concurrent("Ctrl-C of serve while a call runs: it may finish, then stop hooks run", async (context) => {
  const home = await createHome(context);
  const serve = await home.serve();
  const { pid } = home.server;
  const busy = home.endpoint("page", 1);
  const running = await home.lifelines.next("running");
  serve.kill("SIGINT");
  await serve.sees(/inputs may finish/);
  running.go();
  expect(await busy).toMatchObject({ status: 200, text: "released" });
  (await home.lifelines.next("stopping interrupt")).go();
  expect((await serve.exited).code).toBe(0);
  await processEnded(pid);
  await expectNothingLeft(home);
});

test.concurrent("a second Ctrl-C waits for nothing, and still nothing is left", async (context) => {
  const home = await createHome(context);
  const cli = home.cli(["run", "app.ts:job", "--input", "1", "--env", `LIFELINE=${home.lifelines.port}`]);
  const running = await home.lifelines.next("running");
  const { pid } = home.server;
  cli.kill("SIGINT");
  const stopping = await home.lifelines.next("stopping interrupt");
  cli.kill("SIGINT");
  expect((await cli.exited).code).toBe(130);
  stopping.go();
  await running.ended;
  await processEnded(pid);
  await expectNothingLeft(home);
});
