import { setTimeout as sleep } from "node:timers/promises";
import { percentile } from "../statistics.ts";
import { Forked } from "./forked.ts";
import { nowUs } from "./job.ts";
import type { Burst, ProducerMethods } from "./producer-process.ts";
import { queueOf, type Concurrency, type QueueSystem } from "./system.ts";

export interface Throughput {
  readonly perSecond: number;
  /** Of the system's processes, servers and worker. */
  readonly cpuUsPerJob: number;
  readonly producerCpuUsPerJob: number;
  /** How long the puts took, without waiting for the rest. */
  readonly putsPerSecond: number;
}

export interface Latency {
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

/** Calls of the producer at once, in each burst. */
export const CALLERS = 8;
const PROBES_PER_SECOND = 50;
/** As many as any of the systems takes in one call. */
export const FILL = 1_000;

/** A system with the producers that measure it. Its worker has to be started for whatever is measured. */
export class Measured<S extends QueueSystem = QueueSystem> {
  readonly system: S;
  readonly #producer: Forked<ProducerMethods>;
  /** Apart from the load, so that only the system and the machine are shared with it. */
  readonly #probe: Forked<ProducerMethods>;

  constructor(system: S) {
    this.system = system;
    const address = [JSON.stringify(system.address)];
    this.#producer = new Forked<ProducerMethods>("producer-process.ts", address);
    this.#probe = new Forked<ProducerMethods>("producer-process.ts", address);
  }

  /** From the first put to the last end. */
  async burst(concurrency: Concurrency, jobs: number, bulk: number): Promise<Throughput> {
    return this.#throughput(jobs, { queue: queueOf(concurrency), jobs, callers: CALLERS, bulk });
  }

  async #throughput(jobs: number, burst: Burst): Promise<Throughput> {
    const cpuUs = this.system.cpuUs();
    const put = await this.#producer.calls.burst(burst);
    const endedUs = await this.system.untilDone(jobs);
    const spentUs = this.system.cpuUs() - cpuUs;
    await this.#check(jobs);
    return {
      perSecond: toPerSecond(jobs, endedUs - put.startedUs),
      cpuUsPerJob: spentUs / jobs,
      producerCpuUsPerJob: put.cpuUs / jobs,
      putsPerSecond: toPerSecond(jobs, put.endedUs - put.startedUs),
    };
  }

  /** All jobs wait behind ones that hold every slot until a moment; from that moment to the last end. */
  async drain(concurrency: Concurrency, jobs: number, putsPerSecond: number): Promise<Throughput> {
    const queue = queueOf(concurrency);
    const holdUntilUs = nowUs() + (jobs / putsPerSecond) * 2e6 + 2e6;
    await this.#producer.calls.hold(queue, concurrency, holdUntilUs);
    const put = await this.#producer.calls.burst({ queue, jobs, callers: CALLERS, bulk: FILL });
    const leftUs = holdUntilUs - nowUs();
    // Waits out what is held, so that the next measurement finds the queue empty.
    await sleep(Math.max(0, leftUs / 1_000));
    const cpuUs = this.system.cpuUs();
    const endedUs = await this.system.untilDone(jobs + concurrency);
    const spentUs = this.system.cpuUs() - cpuUs;
    await this.#check(jobs + concurrency);
    if (leftUs < 0) return this.drain(concurrency, jobs, putsPerSecond / 2);
    return {
      perSecond: toPerSecond(jobs, endedUs - holdUntilUs),
      cpuUsPerJob: spentUs / jobs,
      producerCpuUsPerJob: put.cpuUs / jobs,
      putsPerSecond: toPerSecond(jobs, put.endedUs - put.startedUs),
    };
  }

  /** From the call of put to the first line of the handler, one job after another; beside a load of so many jobs a second. */
  async latency(concurrency: Concurrency, probes: number, loadPerSecond: number): Promise<Latency> {
    const queue = queueOf(concurrency);
    const loadJobs = Math.round((probes / PROBES_PER_SECOND) * loadPerSecond);
    const load = loadJobs > 0 ? this.#producer.calls.pace(queue, loadJobs, loadPerSecond, false) : null;
    await this.#probe.calls.pace(queue, probes, PROBES_PER_SECOND, true);
    await load;
    await this.system.untilDone(probes + loadJobs);
    const latenciesMs = (await this.#check(probes + loadJobs)).map((us) => us / 1_000);
    if (latenciesMs.length !== probes) throw new Error(`${this.system.name} has ${latenciesMs.length} latencies of ${probes} probes`);
    return { p50Ms: percentile(latenciesMs, 0.5), p95Ms: percentile(latenciesMs, 0.95), p99Ms: percentile(latenciesMs, 0.99) };
  }

  /** Puts alone, while all slots of the queue's worker are held. */
  async put(queue: string, jobs: number, bulk: number): Promise<Pick<Throughput, "putsPerSecond" | "cpuUsPerJob">> {
    const cpuUs = this.system.cpuUs();
    const put = await this.#producer.calls.burst({ queue, jobs, callers: CALLERS, bulk });
    return { putsPerSecond: toPerSecond(jobs, put.endedUs - put.startedUs), cpuUsPerJob: (this.system.cpuUs() - cpuUs) / jobs };
  }

  async hold(queue: string, slots: number, untilUs: number): Promise<void> {
    await this.#producer.calls.hold(queue, slots, untilUs);
  }

  /** Each job once: anything else is no measurement. */
  async #check(jobs: number): Promise<readonly number[]> {
    const { runs, distinct, latenciesUs } = await this.system.report();
    if (runs !== jobs || distinct !== jobs) throw new Error(`${this.system.name} was given ${jobs} jobs and ran ${runs}, ${distinct} of them different`);
    return latenciesUs;
  }

  async stop(): Promise<void> {
    for (const producer of [this.#producer, this.#probe]) {
      await producer.calls.close();
      await producer.stop();
    }
    await this.system.stop();
  }
}

const toPerSecond = (jobs: number, us: number): number => (jobs / us) * 1e6;
