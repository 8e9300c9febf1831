import { taskQueue } from "samovar";
import { JobRunner, type Job, type JobReport, type JobResult } from "./job.ts";

/** Put after a number of jobs: what their worker saw, when it has done all of them. */
export interface ReportRequest {
  readonly reportAfter: number;
}

const runner = new JobRunner();

async function work(input: Job | ReportRequest): Promise<JobResult | JobReport> {
  if (!("reportAfter" in input)) return runner.run(input);
  await runner.untilRun(input.reportAfter);
  return runner.report();
}

// A container for each, as each has a worker process elsewhere.
const one = { minContainers: 1, maxContainers: 1, timeout: "1h" } as const;
export const noop1 = taskQueue({ ...one, concurrency: 1 }, work);
export const noop10 = taskQueue({ ...one, concurrency: 10 }, work);
export const noop64 = taskQueue({ ...one, concurrency: 64 }, work);
export const idle = taskQueue({ ...one, concurrency: 1 }, work);
