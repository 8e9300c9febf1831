import { loadClient, type Address, type Worker } from "./client.ts";
import { serve } from "./forked.ts";
import { JobRunner } from "./job.ts";

// The worker of a peer: what a container with a function is for Samovar.

const address = JSON.parse(process.argv[2]!) as Address;
const client = await loadClient(address.system);
const runner = new JobRunner();
let worker: Worker | null = null;

const methods = {
  async start(queue: string, concurrency: number) {
    worker = await client.startWorker!(address, { queue, concurrency, run: (job) => runner.run(job) });
  },
  async stop() {
    await worker?.stop();
    worker = null;
  },
  untilRun: (runs: number) => runner.untilRun(runs),
  report: () => runner.report(),
};
export type WorkerMethods = typeof methods;
serve(methods);
