import { expect, test, type TestContext } from "vitest";
import { needDebianPackage } from "../debian-packages.ts";
import { APP_LIFELINE } from "./lifelines.fixture.ts";
import { TestHome, processEnded } from "./test-home.fixture.ts";
import { TestTasks } from "./test-tasks.fixture.ts";

const APP = `
import { App, Client, endpoint, fn, taskQueue } from "samovar";
${APP_LIFELINE}
new App("returning");
const small = { memory: "128Mi", cpu: "250m", maxContainers: 1 };
let starts = 0;
let calls = 0;
export const page = endpoint(
  { ...small, minContainers: 1, onStart: () => void starts++, onStop: (ctx) => lifeline("stopping " + ctx.reason) },
  () => {
    console.log("call " + ++calls);
    return { starts, call: calls, pid: process.pid };
  },
);
export const call = fn({ ...small }, () => lifeline("called"));
export const asking = taskQueue({ ...small, retries: 3 }, async (_, ctx) => {
  if (ctx.attempt === 1) await lifeline("asks");
  return await new Client().deployment("page").request({});
});
export const held = taskQueue({ ...small, retries: 3 }, async (input, ctx) => {
  // Its call ends with the connection: after that nothing can be sent.
  if (input === "away") await call.remote().catch(() => {});
  else await lifeline("held " + input + " " + ctx.attempt);
  void lifeline("done " + input);
  return { input, attempt: ctx.attempt };
});
export const busy = endpoint({ ...small }, async (input, ctx) => {
  if (input.free) return "free";
  ctx.signal.addEventListener("abort", () => lifeline("told"));
  await lifeline("busy");
  return "late";
});
`;

const SLOW = `
import { App, endpoint } from "samovar";
${APP_LIFELINE}
new App("slow");
export const slow = endpoint({ memory: "128Mi", stopGracePeriod: "3s", onStart: () => lifeline("starting") }, () => "started");
`;

const withoutCrun = await needDebianPackage("crun");
const DRIVERS = ["process", ...(withoutCrun === null ? ["oci"] : [])];

async function deployed(context: TestContext, driver: string): Promise<{ home: TestHome; tasks: TestTasks; restart: () => Promise<void> }> {
  const home = await TestHome.create({ "app.js": APP, "slow.js": SLOW });
  context.onTestFinished(() => home.dispose());
  const up = (): Promise<string> => home.ok(["up", "-d", "--port", "0", "--driver", driver]);
  await up();
  await home.ok(["deploy", "app.js", "--env", `LIFELINE=${home.lifelines.port}`]);
  return { home, tasks: TestTasks.of(home), restart: async () => void (await up()) };
}

test("a task of a deployment that was stopped goes on where its server is killed: its container drains", async (context) => {
  const { home, tasks, restart } = await deployed(context, "process");
  const [id] = await tasks.put("held", { input: "last" });
  const running = await home.lifelines.next("held last 1");
  await home.ok(["deployment", "stop", "held"]);
  await recorded(home);
  await kill(home);
  await restart();
  expect(await tasks.get(id!)).toMatchObject({ status: "RUNNING", attempts: [{ number: 1 }] });
  running.go();
  expect(await tasks.over(id!)).toMatchObject({ status: "COMPLETE", result: { attempt: 1 }, attempts: [{ number: 1 }] });
  expect(await idsOf(home, "held")).toHaveLength(1);
  await down(home);
});

test("a handler's own client waits for the server, and its attempt doesn't fail", async (context) => {
  const { home, tasks } = await deployed(context, "process");
  const { port } = new URL(home.server.url);
  const [id] = await tasks.put("asking", {});
  const asks = await home.lifelines.next("asks");
  await recorded(home);
  await kill(home);
  asks.go();
  await home.ok(["up", "-d", "--port", port, "--driver", "process"]);
  expect(await tasks.over(id!)).toMatchObject({ status: "COMPLETE", result: { starts: 1, call: 1 }, attempts: [{ number: 1 }] });
  await down(home);
});

/** Nobody has said a word to it: it is just gone. */
async function kill(home: TestHome): Promise<void> {
  const { pid } = home.server;
  process.kill(pid, "SIGKILL");
  await processEnded(pid);
}

/** Containers that have just become ready are on record: what is not ends by itself, and takes as long as its inputs do. */
const recorded = async (home: TestHome): Promise<void> => void (await home.containers());

/** Ends all of it, with the stop hook of `page`, which runs once. */
async function down(home: TestHome): Promise<void> {
  const ended = home.endServer();
  const unsaid = ended.then(() => Promise.reject(new Error("It ended without its stop hook")));
  (await Promise.race([home.lifelines.next("stopping stop"), unsaid])).go();
  await ended;
}

const page = async (home: TestHome): Promise<{ starts: number; call: number; pid: number }> => (await home.call("/endpoint/page", {})).json;
const idsOf = async (home: TestHome, name: string): Promise<string[]> =>
  (await home.containers()).filter((one) => one.function === name).map(({ id, state }) => `${id} ${state}`);

for (const driver of DRIVERS) {
  test.concurrent(`${driver}: a container goes on where its server was killed: no hook runs again, its memory is as it was`, async (context) => {
    const { home, restart } = await deployed(context, driver);
    const before = await page(home);
    const containers = await idsOf(home, "page");
    for (const call of [2, 3]) {
      // Lines are written behind: what was shown is on disk.
      expect(await home.ok(["logs", "page"])).toContain(`call ${call - 1}`);
      await kill(home);
      await restart();
      // Before anything of it has come back, or just then.
      if (call === 3) await kill(home).then(restart);
      expect(await page(home)).toEqual({ ...before, call });
      expect(await idsOf(home, "page")).toEqual(containers);
    }
    // It is as one of this server's own.
    const [id] = containers[0]!.split(" ");
    const logs = await home.ok(["logs", "page"]);
    expect(logs.match(/call \d/g)).toEqual(["call 1", "call 2", "call 3"]);
    expect(logs).toBe(await home.ok(["container", "logs", id!]));
    expect(await home.ok(["container", "exec", id!, "--", "sh", "-c", "echo $SAMOVAR_CONTAINER_ID"])).toBe(`${id}\n`);
    await down(home);
  });

  test.concurrent(`${driver}: a task goes on while its server is gone, and its one attempt is kept, whenever it ends`, async (context) => {
    const { home, tasks, restart } = await deployed(context, driver);
    const [away, back] = await tasks.put("held", { input: "away" }, { input: "back" });
    const called = await home.lifelines.next("called");
    await recorded(home);
    await kill(home);
    // Before there is anybody to hear of it.
    await home.lifelines.next("done away");
    called.go();
    await restart();
    expect(await tasks.over(away!)).toMatchObject({ status: "COMPLETE", result: { input: "away", attempt: 1 }, attempts: [{ number: 1 }] });

    const next = await home.lifelines.next("held back 1");
    await kill(home);
    await restart();
    expect(await tasks.get(back!)).toMatchObject({ status: "RUNNING" });
    next.go();
    expect(await tasks.over(back!)).toMatchObject({ status: "COMPLETE", result: { input: "back", attempt: 1 }, attempts: [{ number: 1 }] });
    expect(await idsOf(home, "held")).toHaveLength(1);
    await down(home);
  });

  test.concurrent(`${driver}: what a caller waited for is told to stop, and its room is free when it has`, async (context) => {
    const { home, restart } = await deployed(context, driver);
    const call = home.call("/endpoint/busy", {}).catch((error: unknown) => error);
    const handler = await home.lifelines.next("busy");
    await recorded(home);
    await kill(home);
    expect(await call).toBeInstanceOf(TypeError);
    await restart();
    const free = home.call("/endpoint/busy", { free: true });
    (await home.lifelines.next("told")).go();
    handler.go();
    expect((await free).text).toBe("free");
    expect(await idsOf(home, "busy")).toHaveLength(1);
    await down(home);
  });

  test.concurrent(`${driver}: of a container that was starting a stop of the next server leaves nothing`, async (context) => {
    const { home, restart } = await deployed(context, driver);
    const deploy = home.cli(["deploy", "slow.js", "--env", `LIFELINE=${home.lifelines.port}`]);
    await home.lifelines.next("starting");
    await kill(home);
    expect((await deploy.exited).code).toBe(1);
    await restart();
    await down(home);
  });

  test.concurrent(`${driver}: a container that died meanwhile is not awaited, and its task is done again at once`, async (context) => {
    const { home, tasks, restart } = await deployed(context, driver);
    const [id] = await tasks.put("held", { input: "lost" });
    await home.lifelines.next("held lost 1");
    const lost = (await home.containers()).find((one) => one.function === "held")!;
    await kill(home);
    process.kill(lost.pid!, "SIGKILL");
    await processEnded(lost.pid!);
    await restart();
    (await home.lifelines.next("held lost 2")).go();
    expect(await tasks.over(id!)).toMatchObject({ status: "COMPLETE", result: { attempt: 2 } });
    expect((await idsOf(home, "held"))[1]).toBe(`${lost.id} ended`);
    await down(home);
  });
}
