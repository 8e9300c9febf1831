import { Client } from "samovar";
import type { SystemClient } from "./client.ts";
import type * as app from "./samovar-app.ts";

/** The SDK's client, over HTTP. Its workers are in containers of the server's. */
export const samovarClient: SystemClient = {
  async createProducer({ url, token }, queue) {
    const client = new Client({ url, token });
    const handle = client.app<typeof app>("queues")[queue as keyof typeof app];
    return {
      put: (job) => handle.put(job),
      putMany: (jobs) => handle.putMany(jobs),
      putFirst: (jobs) => handle.putMany(jobs, { priority: "24h" }),
      close: async () => client.close(),
    };
  },
};
