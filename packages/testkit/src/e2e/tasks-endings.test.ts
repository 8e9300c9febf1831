import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { APP_LIFELINE } from "./lifelines.fixture.ts";
import { TestHome, processEnded } from "./test-home.fixture.ts";
import { TestTasks } from "./test-tasks.fixture.ts";

const APP = `
import { App, taskQueue } from "samovar";
${APP_LIFELINE}
new App("endings");
const small = { memory: "128Mi", cpu: "250m" };
export const echo = taskQueue({ ...small, concurrency: 10, minContainers: 1 }, (input) => input);
export const held = taskQueue({ ...small, maxContainers: 1, retries: 0 }, async (input) => { await lifeline("held " + input); return input; });
`;

async function stop(home: TestHome): Promise<void> {
  const { pid } = home.server;
  await home.ok(["down"]);
  await processEnded(pid);
}

test("a start that fails leaves tasks where they are, with the reason, and the next version runs them", async ({ onTestFinished }) => {
  const tasks = await TestTasks.create();
  onTestFinished(() => tasks.home.dispose());
  await tasks.deploy(APP);
  const broken = APP.replace("maxContainers: 1,", 'maxContainers: 1, onStart: () => { throw new Error("no weights here"); },');
  tasks.home.write("app.js", broken);
  await tasks.home.ok(["deploy", "app.js", "--no-wait", "--env", `LIFELINE=${tasks.home.lifelines.port}`]);
  const [id] = await tasks.put("held", { input: "patient" });
  await tasks.says(id!, /no weights here/);
  expect(await tasks.get(id!)).toMatchObject({ status: "PENDING", attempts: [] });
  await tasks.deploy(APP);
  (await tasks.home.lifelines.next("held patient")).go();
  expect(await tasks.over(id!)).toMatchObject({ status: "COMPLETE", version: 3, attempts: [{ number: 1 }] });
  await tasks.home.endServer();
});

test("a handler that ignores its timeout keeps the next of its concurrency key waiting until its worker is gone", async ({ onTestFinished }) => {
  const tasks = await TestTasks.create();
  const { lifelines } = tasks.home;
  onTestFinished(() => tasks.home.dispose());
  await tasks.deploy(`${APP}
    export const deaf = taskQueue({ ...small, concurrency: 2, timeout: "1s", retries: 0 }, async (input) => { await lifeline("deaf " + input); return input; });
  `);
  const [first, second] = await tasks.put("deaf", { input: "first", concurrencyKey: "k" }, { input: "second", concurrencyKey: "k" });
  const deaf = await lifelines.next("deaf first");
  const order: string[] = [];
  const ended = deaf.ended.then(() => order.push("the first handler is gone"));
  const next = lifelines.next("deaf second").then((line) => {
    order.push("the second begins");
    line.go();
  });
  expect(await tasks.over(first!)).toMatchObject({ status: "TIMEOUT" });
  await Promise.all([ended, next]);
  expect(order).toEqual(["the first handler is gone", "the second begins"]);
  expect(await tasks.over(second!)).toMatchObject({ status: "COMPLETE" });
  await tasks.home.endServer();
});

test("tasks of a session end with it", async ({ onTestFinished }) => {
  const tasks = await TestTasks.create();
  const { home } = tasks;
  onTestFinished(() => home.dispose());
  home.write("app.js", APP);
  const serve = await home.serve("app.js");
  const [running, waiting] = await tasks.put("held-dev", { input: "runs" }, { input: "waits" });
  await home.lifelines.next("held runs");
  serve.kill("SIGKILL");
  await serve.exited;
  expect(await tasks.over(running!)).toMatchObject({ status: "CANCELLED", attempts: [{ number: 1 }] });
  expect(await tasks.over(waiting!)).toMatchObject({ status: "CANCELLED", attempts: [] });
  await home.endServer();
});

const run = (command: string, ...args: readonly string[]): unknown => execFileSync(command, args, { stdio: "ignore" });
const canMount = process.getuid?.() === 0 && process.platform === "linux";

// A file system that is really full needs a mount, which only root makes.
test.skipIf(!canMount)(
  "a full disk refuses tasks by name, and the server goes on when there is room (needs root, to mount a small one)",
  async ({ onTestFinished }) => {
    const home = await TestHome.create();
    mkdirSync(home.home);
    run("mount", "-t", "tmpfs", "-o", "size=256m,mode=700", "samovar-test", home.home);
    onTestFinished(async () => {
      await home.killAll();
      // Lazily: containers that were just killed may still be on their way out of it.
      run("umount", "--lazy", home.home);
      await home.dispose();
    });
    await home.ok(["up", "-d", "--port", "0"]);
    const tasks = TestTasks.of(home);
    await tasks.deploy(APP);
    const [before] = await tasks.put("echo", { input: "before" });
    await tasks.over(before!);
    const [held] = await tasks.put("held", { input: "through" });
    const handler = await home.lifelines.next("held through");

    const ballast = join(home.home, "ballast");
    try {
      run("dd", "if=/dev/zero", `of=${ballast}`, "bs=64k");
    } catch {
      // It ends when nothing more fits.
    }
    const big = { tasks: [{ input: "x".repeat(512 * 1024) }] };
    expect(await home.call("/api/v1/functions/echo/tasks", big)).toMatchObject({
      status: 503,
      json: { code: "storage_failed", detail: expect.stringMatching(/full/) },
    });
    // What ends meanwhile is written when there is room.
    handler.go();
    expect(await tasks.get(before!)).toMatchObject({ status: "COMPLETE", result: "before" });
    expect((await home.call("/livez", undefined, { method: "GET" })).status).toBe(200);
    rmSync(ballast);
    const [after] = await tasks.put("echo", { input: "after" });
    expect(await tasks.over(after!)).toMatchObject({ status: "COMPLETE", result: "after" });
    expect(await tasks.over(held!)).toMatchObject({ status: "COMPLETE", result: "through" });
    expect((await tasks.list("function=echo")).length).toBe(2);
    await stop(home);
  },
);

test("a backup that is made under load has all that was acknowledged before it; a damaged database is refused by name and kept", async ({ onTestFinished }) => {
  const tasks = await TestTasks.create();
  const { home } = tasks;
  onTestFinished(() => home.dispose());
  await tasks.deploy(APP);
  const acknowledged = await tasks.put("echo", ...Array.from({ length: 50 }, (_, input) => ({ input })));
  const [held] = await tasks.put("held", { input: "kept" });
  const handler = await home.lifelines.next("held kept");
  const beside = Promise.all(Array.from({ length: 10 }, (_, input) => tasks.put("echo", { input })));
  const file = join(home.folder, "backup.tar");
  await home.ok(["backup", file]);
  await beside;
  handler.go();
  await tasks.over(held!);
  await stop(home);

  const database = join(home.home, "samovar.db");
  for (const end of ["-wal", "-shm"]) rmSync(database + end, { force: true });
  const bytes = readFileSync(database);
  bytes.fill(0x5a, 4_096, Math.min(bytes.length, 40_960));
  writeFileSync(database, bytes);
  copyFileSync(database, join(home.folder, "damaged.db"));
  const up = home.cli(["up", "-d", "--port", "0"]);
  expect((await up.exited).code).toBe(1);
  expect(up.err()).toMatch(/storage_failed/);
  expect(up.err()).toContain(database);
  expect(readFileSync(database).equals(readFileSync(join(home.folder, "damaged.db")))).toBe(true);

  await home.ok(["restore", file, "--force"]);
  await home.ok(["up", "-d", "--port", "0"]);
  for (const [input, id] of acknowledged.entries()) expect(await tasks.over(id)).toMatchObject({ status: "COMPLETE", result: input });
  // It ran when the backup was made: it runs again.
  (await home.lifelines.next("held kept")).go();
  expect(await tasks.over(held!)).toMatchObject({ status: "COMPLETE", result: "kept" });
  await home.endServer();
});
