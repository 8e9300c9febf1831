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

test("a schedule ticks over the death of its server: no tick twice, none lost, and none beside a task that isn't over", async ({ onTestFinished }) => {
  const tasks = await TestTasks.create();
  const { home } = tasks;
  onTestFinished(() => home.dispose());
  await tasks.deploy(CLOCKWORK);
  const first = await home.lifelines.next("alone");
  await done(tasks, "each", 2);

  const { pid } = home.server;
  process.kill(pid, "SIGKILL");
  await processEnded(pid);
  // What it ran may end, though nobody hears of it.
  first.go();
  await first.ended;
  await home.ok(["up", "-d", "--port", "0"]);
  await done(tasks, "each", 3);

  // What was interrupted is done again, and stands in the way of later ticks as before.
  const again = await home.lifelines.next("alone");
  const [interrupted, ...others] = await tasks.list("function=alone");
  expect(others).toEqual([]);
  again.go();
  expect(await tasks.over(interrupted!.id)).toMatchObject({ status: "COMPLETE", attempts: [{}, {}] });
  const next = await home.lifelines.next("alone");
  await home.ok(["schedule", "pause", "alone"]);
  next.go();

  await home.ok(["schedule", "pause", "each"]);
  const all = await tasks.list("function=each&limit=500");
  const ticks = all.map(({ tickAtMs }) => tickAtMs!).toSorted((a, b) => a - b);
  expect(ticks).toEqual(ticks.map((_, at) => ticks[0]! + at * 1_000));
  const results = await Promise.all(all.map(({ id }: TaskInfo) => tasks.over(id)));
  expect(results.map(({ status, result }) => [status, result])).toEqual(all.map(({ tickAtMs }) => ["COMPLETE", tickAtMs]));

  await home.ok(["schedule", "run", "each"]);
  expect(await tasks.list("function=each&limit=1")).toMatchObject([{ tickAtMs: null }]);
  const { schedules } = JSON.parse(await home.ok(["schedule", "list", "--json"]));
  expect(schedules).toMatchObject([
    { name: "alone", when: "every 1s", state: "paused", nextRunsAtMs: [] },
    { name: "each", state: "paused", lastTickAtMs: ticks.at(-1) },
  ]);
  await home.endServer();
});
