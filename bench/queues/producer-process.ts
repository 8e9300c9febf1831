import { setTimeout as sleep } from "node:timers/promises";
import { loadClient, type Address, type Producer } from "./client.ts";
import { serve } from "./forked.ts";
import { nowUs, toJob } from "./job.ts";

// What puts jobs: a process with the client of one system, as a user's web server would be one.

const address = JSON.parse(process.argv[2]!) as Address;
const client = await loadClient(address.system);
const producers = new Map<string, Promise<Producer>>();
/** Apart from those of another producer of the same queue. */
let seq = process.pid * 100_000_000;

export interface Burst {
  readonly queue: string;
  readonly jobs: number;
  /** Calls at once. */
  readonly callers: number;
  /** Jobs of a call; 1: each is put by itself. */
  readonly bulk: number;
}

export interface Put {
  readonly startedUs: number;
  readonly endedUs: number;
  readonly cpuUs: number;
}

const methods = {
  /** As fast as the system takes them. */
  async burst({ queue, jobs, callers, bulk }: Burst): Promise<Put> {
    const producer = await open(queue);
    let left = jobs;
    return measure(async () => {
      const call = async (): Promise<void> => {
        while (left > 0) {
          const count = Math.min(bulk, left);
          left -= count;
          if (bulk === 1) await producer.put(toJob(seq++));
          else await producer.putMany(Array.from({ length: count }, () => toJob(seq++)));
        }
      };
      await Promise.all(Array.from({ length: callers }, call));
    });
  },
  /** So many each second, whether or not the ones before were acknowledged. */
  async pace(queue: string, jobs: number, perSecond: number, isProbe: boolean): Promise<Put> {
    const producer = await open(queue);
    return measure(async () => {
      const startedUs = nowUs();
      const puts: Promise<unknown>[] = [];
      while (puts.length < jobs) {
        const due = isProbe ? puts.length + 1 : Math.min(jobs, ((nowUs() - startedUs) * perSecond) / 1e6);
        while (puts.length < due) puts.push(producer.put(toJob(seq++, { isProbe })));
        // Probes keep off the beat of timers and of the load beside them.
        await sleep(isProbe ? (500 + Math.random() * 1_000) / perSecond : 1);
      }
      await Promise.all(puts);
    });
  },
  /** One in each slot of the worker, until that moment; before all that waits, where the system can. */
  async hold(queue: string, jobs: number, holdUntilUs: number): Promise<void> {
    const producer = await open(queue);
    const held = Array.from({ length: jobs }, () => toJob(seq++, { holdUntilUs }));
    await (producer.putFirst ?? producer.putMany)(held);
  },
  async close(): Promise<void> {
    for (const producer of producers.values()) await (await producer).close();
    producers.clear();
  },
};
export type ProducerMethods = typeof methods;
serve(methods);

function open(queue: string): Promise<Producer> {
  let producer = producers.get(queue);
  if (!producer) producers.set(queue, (producer = client.createProducer(address, queue)));
  return producer;
}

async function measure(put: () => Promise<void>): Promise<Put> {
  const cpu = process.cpuUsage();
  const startedUs = nowUs();
  await put();
  const { user, system } = process.cpuUsage(cpu);
  return { startedUs, endedUs: nowUs(), cpuUs: user + system };
}
