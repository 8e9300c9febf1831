import { expect, test } from "vitest";
import { JobRunner, nowUs, toJob } from "./job.ts";

test("a report counts runs and different jobs since the one before, with the latency of each probe", async () => {
  const runner = new JobRunner();
  const probe = toJob(1, { isProbe: true });
  await runner.run(probe);
  await runner.run(probe);
  await runner.run(toJob(2));
  const report = runner.report();
  expect(report).toMatchObject({ runs: 3, distinct: 2 });
  expect(report.latenciesUs).toHaveLength(2);
  expect(report.latenciesUs.every((us) => us >= 0)).toBe(true);
  expect(runner.report()).toEqual({ runs: 0, distinct: 0, latenciesUs: [] });
});

test("who waits for a number of runs is told when they have been done", async () => {
  const runner = new JobRunner();
  await runner.run(toJob(1));
  const told = runner.untilRun(2);
  await runner.run(toJob(2));
  await told;
  await runner.untilRun(1);
  expect(runner.report().runs).toBe(2);
});

test("what ran before jobs held the slots isn't counted, and those that held them are", async () => {
  const runner = new JobRunner();
  await runner.run(toJob(1));
  const holdUntilUs = nowUs() + 1_000;
  await Promise.all([runner.run(toJob(2, { holdUntilUs })), runner.run(toJob(3, { holdUntilUs }))]);
  expect(runner.report()).toMatchObject({ runs: 2, distinct: 3 });
});

test("a job has about 130 bytes", () => {
  expect(JSON.stringify(toJob(123_456_789_012, { isProbe: true })).length).toBeLessThan(150);
});
