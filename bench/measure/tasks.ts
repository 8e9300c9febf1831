import type { Finding } from "../finding.ts";
import type { SystemName } from "../queues/client.ts";
import { startSystems } from "../queues/start-systems.ts";
import type { Concurrency } from "../queues/system.ts";
import { CALLERS, type Latency, type Measured, type Throughput } from "../queues/turn.ts";
import { compareRounds, ratio, toSpread, type Spread } from "../statistics.ts";
import type { Progress } from "../terminal.ts";
import type { Scope } from "./scope.ts";

/** Jobs of one call where many are put. */
const BULK = 100;
const WARM_UP = 2_000;
/** Against which the aims are held. */
const RIVAL: SystemName = "bullmq";

/** What one system did in one round. */
interface Turn {
  readonly quiet: Latency;
  readonly loaded: Latency;
  readonly one: Throughput;
  readonly ten: Throughput;
  readonly many: Throughput;
  readonly bulk: Throughput;
  readonly drain: Throughput;
}

/** The same job in several systems, in turns: from put to start, jobs a second, CPU for a job. */
export async function measureTasks(scope: Scope, progress: Progress): Promise<readonly Finding[]> {
  progress("tasks: starting the systems");
  await using cleanUp = new AsyncDisposableStack();
  const systems = await startSystems(cleanUp);
  for (const target of systems) {
    progress(`tasks: warming ${target.system.name}`);
    for (const concurrency of [1, 10, 64] as const) await withWorker(target, concurrency, () => target.burst(concurrency, WARM_UP, 1));
  }
  const rounds = new Map<SystemName, Turn[]>(systems.map(({ system }) => [system.name, []]));
  for (let round = 0; round < scope.tasks.rounds; round++) {
    for (const target of systems) {
      progress(`tasks: round ${round + 1} of ${scope.tasks.rounds}, ${target.system.name}`);
      rounds.get(target.system.name)!.push(await takeTurn(target, scope));
    }
  }
  return toFindings(rounds);
}

async function takeTurn(target: Measured, { tasks: { burst, drain, probes } }: Scope): Promise<Turn> {
  const one = await withWorker(target, 1, () => target.burst(1, burst, 1));
  const [ten, quiet, loaded] = await withWorker(target, 10, async () => {
    const ten = await target.burst(10, burst, 1);
    return [ten, await target.latency(10, probes, 0), await target.latency(10, probes, ten.perSecond / 2)];
  });
  return withWorker(target, 64, async () => {
    const many = await target.burst(64, burst, 1);
    const bulk = await target.burst(64, burst, BULK);
    return { quiet, loaded, one, ten, many, bulk, drain: await target.drain(64, drain, bulk.putsPerSecond) };
  });
}

async function withWorker<T>({ system }: Measured, concurrency: Concurrency, measure: () => Promise<T>): Promise<T> {
  await system.startWorker(concurrency);
  try {
    return await measure();
  } finally {
    await system.stopWorker();
  }
}

function toFindings(rounds: ReadonlyMap<SystemName, readonly Turn[]>): readonly Finding[] {
  const ours = rounds.get("samovar")!;
  const theirs = rounds.get(RIVAL);
  const figures = (of: (turn: Turn) => number): Record<string, Spread> =>
    Object.fromEntries([...rounds].map(([name, turns]) => [name, toSpread(turns.map(of))]));
  const finding = (id: string, title: string, unit: Finding["unit"], of: (turn: Turn) => number, aim: Finding["aim"] = null): Finding => ({
    id: `tasks-${id}`,
    title,
    unit,
    figures: figures(of),
    judged: theirs ? { what: "× BullMQ", spread: compareRounds(ours.map(of), theirs.map(of), ratio) } : null,
    aim: theirs ? aim : null,
  });
  const latency = (id: "quiet" | "loaded", title: string): readonly Finding[] => [
    finding(`${id}-p50`, `put → start, ${title}, p50`, "ms", (turn) => turn[id].p50Ms, { at: "most", value: 1 }),
    finding(`${id}-p95`, "  p95", "ms", (turn) => turn[id].p95Ms),
    finding(`${id}-p99`, "  p99", "ms", (turn) => turn[id].p99Ms),
  ];
  const throughput = (id: "one" | "ten" | "many" | "bulk" | "drain", title: string): readonly Finding[] => [
    finding(id, title, "jobs/s", (turn) => turn[id].perSecond, { at: "least", value: 2.5 }),
    finding(`${id}-cpu`, "  CPU for a job, servers and worker", "µs", (turn) => turn[id].cpuUsPerJob),
    finding(`${id}-producer`, "  CPU for a job, producer", "µs", (turn) => turn[id].producerCpuUsPerJob),
  ];
  return [
    ...latency("quiet", "50/s"),
    ...latency("loaded", "beside half of its jobs/s"),
    ...throughput("many", `${CALLERS} callers, 64 at work`),
    ...throughput("ten", `${CALLERS} callers, 10 at work`),
    ...throughput("one", `${CALLERS} callers, 1 at work`),
    ...throughput("bulk", `${CALLERS} callers, ${BULK} jobs a call, 64 at work`),
    ...throughput("drain", "a full queue, 64 at work"),
  ];
}
