import { expect, test } from "vitest";
import { ENDINGS_APP } from "./endings.app.fixture.ts";
import { TestHome, processEnded } from "./test-home.fixture.ts";

/** Its own home for each: they run side by side, since most of their time is other processes' start. */
function ending(name: string, run: (home: TestHome) => Promise<void>): void {
  test.concurrent(name, async () => {
    const home = await TestHome.create({ "app.ts": ENDINGS_APP });
    try {
      await run(home);
    } catch (error) {
      await home.dispose().catch(() => {});
      throw error;
    }
    await home.dispose();
  });
}

async function expectNothingLeft(home: TestHome): Promise<void> {
  await Promise.all((await home.processes()).map(({ pid }) => processEnded(pid)));
  expect(await home.leaks()).toEqual([]);
}

async function down(home: TestHome): Promise<void> {
  const { pid } = home.server;
  await home.ok(["down"]);
  await processEnded(pid);
  await expectNothingLeft(home);
}

ending("kill -9 of the command ends its session: stop hooks run, the embedded server goes, nothing is left", async (home) => {
  const cli = home.cli(["run", "app.ts:job", "--input", "1", "--env", `LIFELINE=${home.lifelines.port}`]);
  const running = await home.lifelines.next("running");
  const server = home.server.pid;
  cli.kill("SIGKILL");
  (await home.lifelines.next("stopping interrupt")).go();
  await running.ended;
  await processEnded(server);
  await expectNothingLeft(home);
});

ending("kill -9 of the server: the runner runs its stop hooks and ends, a new server on the home starts clean", async (home) => {
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

ending("kill -9 of a container in mid-call is 502 with the signal; the next call has another container", async (home) => {
  await home.ok(["up", "-d", "--port", "0"]);
  const serve = await home.serve();
  const call = home.endpoint("page", 1);
  const running = await home.lifelines.next("running");
  process.kill(running.pid, "SIGKILL");
  expect(await call).toMatchObject({ status: 502, json: { code: "container_lost", reason: "SIGKILL" } });
  const next = home.endpoint("page", 1);
  (await home.lifelines.next("running")).go();
  expect(await next).toMatchObject({ status: 200, text: "released" });
  serve.kill("SIGINT");
  (await home.lifelines.next("stopping interrupt")).go();
  expect((await serve.exited).code).toBe(0);
  await down(home);
});

ending("container stop while it is busy: the input finishes, then stop hooks run; new inputs go elsewhere", async (home) => {
  await home.ok(["up", "-d", "--port", "0"]);
  const serve = await home.serve();
  const busy = home.endpoint("page", 1);
  const first = await home.lifelines.next("running");
  const [{ id }] = (await home.containers()) as [{ id: string }];
  const stopping = home.ok(["container", "stop", id]);
  await stopping;
  const other = home.endpoint("page", 1);
  const second = await home.lifelines.next("running");
  expect(second.pid).not.toBe(first.pid);
  first.go();
  second.go();
  expect([(await busy).text, (await other).text]).toEqual(["released", "released"]);
  (await home.lifelines.next("stopping stop")).go();
  await first.ended;
  serve.kill("SIGINT");
  (await home.lifelines.next("stopping interrupt")).go();
  await serve.exited;
  await down(home);
});

ending("SIGTERM to a busy server: what runs is answered, what is new is refused, then all is gone", async (home) => {
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

ending("Ctrl-C of serve while a call runs: it may finish, then stop hooks run", async (home) => {
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

ending("a second Ctrl-C waits for nothing, and still nothing is left", async (home) => {
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
