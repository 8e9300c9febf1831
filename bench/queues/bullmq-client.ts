import { Queue, Worker } from "bullmq";
import type { SystemClient } from "./client.ts";
import type { Job } from "./job.ts";

/** Its defaults: ended jobs and their results are kept, and nothing is removed while the bench runs. */
export const bullmqClient: SystemClient = {
  async createProducer({ url }, name) {
    const queue = new Queue<Job>(name, { connection: { url } });
    await queue.waitUntilReady();
    return {
      put: (job) => queue.add("job", job),
      putMany: (jobs) => queue.addBulk(jobs.map((data) => ({ name: "job", data }))),
      close: () => queue.close(),
    };
  },
  async startWorker({ url }, { queue, concurrency, run }) {
    const worker = new Worker<Job>(queue, (job) => run(job.data), { connection: { url, maxRetriesPerRequest: null }, concurrency });
    worker.on("error", fail);
    worker.on("failed", (_job, error) => fail(error));
    await worker.waitUntilReady();
    return { stop: () => worker.close() };
  },
};

function fail(error: Error): never {
  throw error;
}
