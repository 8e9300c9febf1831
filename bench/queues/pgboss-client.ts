import { PgBoss, type ConstructorOptions } from "pg-boss";
import type { SystemClient } from "./client.ts";
import type { Job } from "./job.ts";

/** Of a fetch where one job at a time is done: with a batch of one it waits for its next poll while others wait. */
const LEAST_BATCH = 10;

/** Woken by notifications, fetches again at once after a full batch, completes the jobs of a batch together with a result each. */
export const pgbossClient: SystemClient = {
  async createProducer({ url }, queue) {
    // What looks after the tables is one's work: the worker's.
    const boss = await startBoss({ connectionString: toDatabase(url), supervise: false, schedule: false });
    return {
      put: (job) => boss.send(queue, job),
      putMany: (jobs) =>
        boss.insert(
          queue,
          jobs.map((data) => ({ data })),
        ),
      close: () => boss.stop(),
    };
  },
  async startWorker({ url }, { queue, concurrency, run }) {
    const boss = await startBoss({ connectionString: toDatabase(url), useListenNotify: true });
    const options = { batchSize: Math.max(concurrency, LEAST_BATCH), perJobResults: true, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true } as const;
    await boss.work<Job, unknown, typeof options>(queue, options, async (jobs) => {
      const one = async ({ id, data }: { readonly id: string; readonly data: Job }) => ({ id, status: "completed" as const, output: await run(data) });
      if (concurrency >= jobs.length) return Promise.all(jobs.map(one));
      const results = [];
      for (const job of jobs) results.push(await one(job));
      return results;
    });
    return { stop: () => boss.stop() };
  },
};

const toDatabase = (url: string): string => `${url}/pgboss`;

async function startBoss(options: ConstructorOptions): Promise<PgBoss> {
  const boss = new PgBoss(options);
  boss.on("error", (error) => {
    throw error;
  });
  return boss.start();
}
