import type { Finding } from "../finding.ts";
import { LoadGenerator } from "../load/load-generator.ts";
import { toRequest, type LoadResult } from "../load/load-job.ts";
import { cpuMicroseconds } from "../process-usage.ts";
import { compareRounds, difference, ratio, toSpread, type Spread } from "../statistics.ts";
import { startPlainServer } from "../targets/plain-server.ts";
import { SamovarServer } from "../targets/samovar-server.ts";
import type { Progress } from "../terminal.ts";
import type { Scope } from "./scope.ts";

const INPUT = JSON.stringify({ name: "Samovar" });
const EXPECTED = JSON.stringify({ message: "Hello, Samovar!" });
const CONNECTIONS = 32;
const WARM_UP_MS = 1_000;

interface Target {
  readonly name: "samovar" | "bare" | "framework";
  readonly port: number;
  readonly request: string;
  /** Whose CPU time the calls cost. */
  processes(): Promise<Readonly<Record<string, number>>>;
}

interface Round {
  readonly one: LoadResult;
  readonly many: LoadResult;
  /** Microseconds of CPU for a call with many connections, by process. */
  readonly cpu: Readonly<Record<string, number>>;
}

/** The same JSON call on three servers, in turns: throughput, latency with one connection and with many, CPU for a call. */
export async function measureWarmCalls(scope: Scope, progress: Progress): Promise<readonly Finding[]> {
  progress("warm calls: starting the servers");
  await using cleanUp = new AsyncDisposableStack();
  const samovar = await SamovarServer.start();
  cleanUp.defer(() => samovar.stop());
  const bare = await startPlainServer("bare-server");
  cleanUp.defer(() => bare.stop());
  const framework = await startPlainServer("framework-server");
  cleanUp.defer(() => framework.stop());
  const load = cleanUp.use(new LoadGenerator());

  const plain = (name: "bare" | "framework", { port, pid }: { port: number; pid: number }): Target => ({
    name,
    port,
    request: toRequest({ url: new URL(`http://127.0.0.1:${port}/`), body: INPUT }),
    processes: async () => ({ server: pid }),
  });
  const url = samovar.endpoint("hello");
  const samovarRequest = toRequest({ url, token: samovar.token, body: INPUT });
  const port = Number(url.port);
  const run = (target: Pick<Target, "port" | "request">, connections: number, durationMs: number): Promise<LoadResult> =>
    load.run({ port: target.port, request: target.request, expectedBody: EXPECTED, connections, durationMs });
  const samovarProcesses = async (): Promise<Record<string, number>> => ({ server: samovar.pid, worker: (await samovar.readyContainer("hello")).pid! });
  const targets: Target[] = [
    { name: "samovar", port, request: samovarRequest, processes: samovarProcesses },
    plain("bare", bare),
    plain("framework", framework),
  ];

  for (const target of targets) {
    progress(`warm calls: warming ${target.name}`);
    await run(target, CONNECTIONS, WARM_UP_MS);
  }
  const rounds: Record<Target["name"], Round[]> = { samovar: [], bare: [], framework: [] };
  for (let round = 0; round < scope.rounds; round++) {
    for (const target of targets) {
      progress(`warm calls: round ${round + 1} of ${scope.rounds}, ${target.name}`);
      const one = await run(target, 1, scope.loadMs);
      const processes = await target.processes();
      const before = readCpu(processes);
      const many = await run(target, CONNECTIONS, scope.loadMs);
      const after = readCpu(processes);
      rounds[target.name].push({ one, many, cpu: Object.fromEntries(Object.keys(before).map((name) => [name, (after[name]! - before[name]!) / many.calls])) });
    }
  }
  return toFindings(rounds);
}

function readCpu(processes: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(processes).map(([name, pid]) => [name, cpuMicroseconds(pid)]));
}

function toFindings({ samovar, bare, framework }: Record<Target["name"], readonly Round[]>): readonly Finding[] {
  const figures = (of: (round: Round) => number): Record<string, Spread> => ({
    samovar: toSpread(samovar.map(of)),
    bare: toSpread(bare.map(of)),
    framework: toSpread(framework.map(of)),
  });
  const compare = (of: (round: Round) => number, how: typeof ratio): Spread => compareRounds(samovar.map(of), bare.map(of), how);
  const throughput = ({ many }: Round): number => (many.calls / many.elapsedMs) * 1_000;
  const cpu = (round: Round): number => Object.values(round.cpu).reduce((sum, each) => sum + each, 0);
  const p50 = ({ one }: Round): number => one.p50Ms;
  const many = `${CONNECTIONS} connections`;
  return [
    {
      id: "throughput",
      title: `throughput, ${many}`,
      unit: "calls/s",
      figures: figures(throughput),
      judged: { what: "× bare", spread: compare(throughput, ratio) },
      aim: { at: "least", value: 0.5 },
    },
    {
      id: "latency-p50",
      title: "p50, 1 connection",
      unit: "ms",
      figures: figures(p50),
      judged: { what: "added ms", spread: compare(p50, difference) },
      aim: { at: "most", value: 0.2 },
    },
    { id: "latency-p99", title: "p99, 1 connection", unit: "ms", figures: figures(({ one }) => one.p99Ms), judged: null, aim: null },
    { id: "loaded-p50", title: `p50, ${many}`, unit: "ms", figures: figures((round) => round.many.p50Ms), judged: null, aim: null },
    { id: "loaded-p99", title: `p99, ${many}`, unit: "ms", figures: figures((round) => round.many.p99Ms), judged: null, aim: null },
    {
      id: "cpu",
      title: "CPU for a call, all processes",
      unit: "µs",
      figures: figures(cpu),
      judged: { what: "× bare", spread: compare(cpu, ratio) },
      aim: null,
    },
    ...["server", "worker"].map((name): Finding => ({
      id: `cpu-${name}`,
      title: `  of that the ${name}`,
      unit: "µs",
      figures: { samovar: toSpread(samovar.map((round) => round.cpu[name]!)) },
      judged: null,
      aim: null,
    })),
  ];
}
