import { Logger, makeWorkerUtils, run as runWorker, WorkerPreset } from "graphile-worker";
import type { SystemClient } from "./client.ts";
import type { Job } from "./job.ts";

/**
 * As its page on performance has it: jobs are fetched 500 at a time and completed together. Each queue is a database of
 * its own, because its notifications go to all workers of a database. It deletes a job that is done, and keeps no result.
 */
export const graphileClient: SystemClient = {
  async createProducer({ url }, queue) {
    const utils = await makeWorkerUtils({ preset: toPreset(url, queue, 1) });
    return {
      put: (job) => utils.addJob("job", job),
      putMany: (jobs) => utils.addJobs(jobs.map((payload) => ({ identifier: "job", payload }))),
      close: async () => utils.release(),
    };
  },
  async startWorker({ url }, { queue, concurrency, run }) {
    const runner = await runWorker({
      preset: toPreset(url, queue, concurrency),
      noHandleSignals: true,
      taskList: { job: async (job) => void (await run(job as Job)) },
    });
    runner.events.on("job:failed", ({ error }) => {
      throw error;
    });
    return { stop: () => runner.stop() };
  },
};

const silent = new Logger(() => () => {});

function toPreset(url: string, queue: string, concurrency: number): GraphileConfig.Preset {
  return {
    extends: [WorkerPreset],
    worker: {
      connectionString: `${url}/${queue}`,
      concurrentJobs: concurrency,
      maxPoolSize: Math.max(10, concurrency + 2),
      localQueue: { size: 500 },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
      logger: silent,
    },
  };
}
