import { appendFileSync } from "node:fs";
import type { TaskInfo } from "@samovar/protocol";
import { expect, test } from "vitest";
import { APP_LIFELINE } from "./lifelines.fixture.ts";
import { processEnded } from "./test-home.fixture.ts";
import { TestTasks } from "./test-tasks.fixture.ts";

const CLOCKWORK = `
import { App, schedule } from "samovar";
${APP_LIFELINE}
new App("clockwork");
export const each = schedule({ every: "1s", overlap: "allow", catchUp: "all" }, (ctx) => ctx.scheduledAt.getTime());
export const alone = schedule({ every: "1s", overlap: "skip", catchUp: "none" }, () => lifeline("alone"));
`;

/** Resolves when so many tasks of a function were done from now on. */
async function done({ home }: TestTasks, name: string, count: number): Promise<void> {
  const stop = new AbortController();
  const response = await home.fetch(`/api/v1/tasks/events?function=${name}`, undefined, {
    method: "GET",
    headers: { accept: "text/event-stream" },
    signal: stop.signal,
  });
  let seen = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    seen += chunk;
    if (seen.split(`"status":"COMPLETE"`).length > count) return stop.abort();
  }
  throw new Error(`Fewer than ${count} tasks of ${name} were done: ${seen}`);
}

test(
  "a schedule ticks over the death of its server: no tick twice, none lost, and none beside a task that isn't over",
  { timeout: 120_000 },
  async ({ onTestFinished }) => {
    const tasks = await TestTasks.create();
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'const tasks = await TestTasks.create();' + "\n");
    const { home } = tasks;
    onTestFinished(() => home.dispose());
    await tasks.deploy(CLOCKWORK);
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'await tasks.deploy(CLOCKWORK);' + "\n");
    const first = await home.lifelines.next("alone");
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'const first = await home.lifelines.next("alone");' + "\n");
    await done(tasks, "each", 2);
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'await done(tasks, "each", 2);' + "\n");

    const { pid } = home.server;
    process.kill(pid, "SIGKILL");
    await processEnded(pid);
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'await processEnded(pid);' + "\n");
    // What it ran may end, though nobody hears of it.
    first.go();
    await first.ended;
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'await first.ended;' + "\n");
    await home.ok(["up", "-d", "--port", "0"]);
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'await home.ok(["up", "-d", "--port", "0"]);' + "\n");
    await done(tasks, "each", 3);
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'await done(tasks, "each", 3);' + "\n");

    // What was interrupted is done again, and stands in the way of later ticks as before.
    const again = await home.lifelines.next("alone");
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'const again = await home.lifelines.next("alone");' + "\n");
    const [interrupted, ...others] = await tasks.list("function=alone");
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'const [interrupted, ...others] = await tasks.list("function=' + "\n");
    expect(others).toEqual([]);
    again.go();
    expect(await tasks.over(interrupted!.id)).toMatchObject({ status: "COMPLETE", attempts: [{}, {}] });
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'expect(await tasks.over(interrupted!.id)).toMatchObject({ st' + "\n");
    const next = await home.lifelines.next("alone");
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'const next = await home.lifelines.next("alone");' + "\n");
    await home.ok(["schedule", "pause", "alone"]);
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'await home.ok(["schedule", "pause", "alone"]);' + "\n");
    next.go();

    await home.ok(["schedule", "pause", "each"]);
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'await home.ok(["schedule", "pause", "each"]);' + "\n");
    const all = await tasks.list("function=each&limit=500");
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'const all = await tasks.list("function=each&limit=500");' + "\n");
    const ticks = all.map(({ tickAtMs }) => tickAtMs!).toSorted((a, b) => a - b);
    expect(ticks).toEqual(ticks.map((_, at) => ticks[0]! + at * 1_000));
    const results = await Promise.all(all.map(({ id }: TaskInfo) => tasks.over(id)));
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'const results = await Promise.all(all.map(({ id }: TaskInfo)' + "\n");
    expect(results.map(({ status, result }) => [status, result])).toEqual(all.map(({ tickAtMs }) => ["COMPLETE", tickAtMs]));

    await home.ok(["schedule", "run", "each"]);
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'await home.ok(["schedule", "run", "each"]);' + "\n");
    expect(await tasks.list("function=each&limit=1")).toMatchObject([{ tickAtMs: null }]);
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'expect(await tasks.list("function=each&limit=1")).toMatchObj' + "\n");
    const { schedules } = JSON.parse(await home.ok(["schedule", "list", "--json"]));
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'const { schedules } = JSON.parse(await home.ok(["schedule", ' + "\n");
    expect(schedules).toMatchObject([
      { name: "alone", when: "every 1s", state: "paused", nextRunsAtMs: [] },
      { name: "each", state: "paused", lastTickAtMs: ticks.at(-1) },
    ]);
    await home.endServer();
  appendFileSync("/tmp/sched-x/times", Math.round(performance.now()) + " " + 'await home.endServer();' + "\n");
  },
);
