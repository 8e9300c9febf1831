import { setTimeout as sleep } from "node:timers/promises";
import type { Finding } from "../finding.ts";
import { timeFirstByte } from "../load/first-byte.ts";
import { toRequest } from "../load/load-job.ts";
import { compareRounds, percentile, ratio, toSpread } from "../statistics.ts";
import { startPlainServer } from "../targets/plain-server.ts";
import { SamovarServer } from "../targets/samovar-server.ts";
import type { Progress, Scope } from "./scope.ts";

const INPUT = JSON.stringify({ name: "Samovar" });
const EXPECTED = JSON.stringify({ message: "Hello, Samovar!" });
/** Quiet before each start: starts back to back hide what a system that has gone idle costs. */
const PAUSE_MS = 100;

/**
 * From the request to the first byte of its answer, with no container there; beside the floor: starting a bare Node
 * server that runs the same handler, from the spawn to the first byte. In turns.
 */
export async function measureColdStart(scope: Scope, progress: Progress): Promise<readonly Finding[]> {
  progress("cold starts: starting the server");
  await using cleanUp = new AsyncDisposableStack();
  const samovar = await SamovarServer.start();
  cleanUp.defer(() => samovar.stop());
  const url = samovar.endpoint("once");
  const request = toRequest({ url, token: samovar.token, body: INPUT });

  const ours: number[] = [];
  const floor: number[] = [];
  // The first of each is thrown away: it reads files that are not in memory yet.
  for (let start = 0; start <= scope.coldStarts; start++) {
    progress(`cold starts: ${start} of ${scope.coldStarts}`);
    await untilGone(samovar);
    await sleep(PAUSE_MS);
    const cold = await timeFirstByte({
      port: Number(url.port),
      request,
      expectedHeader: "x-samovar-cold-start: 1",
      expectedBody: EXPECTED,
      startedMs: performance.now(),
    });
    await untilGone(samovar);
    await sleep(PAUSE_MS);
    const bare = await startBare();
    if (start === 0) continue;
    ours.push(cold);
    floor.push(bare);
  }
  return [
    {
      id: "cold-start",
      title: "cold start, request to first byte",
      unit: "ms",
      figures: { samovar: toSpread(ours), bare: toSpread(floor) },
      judged: { what: "× floor", spread: byGroups(ours, floor) },
      aim: { at: "most", value: 1.5 },
    },
    {
      id: "cold-start-p99",
      title: "cold start, p99",
      unit: "ms",
      figures: { samovar: toSpread([percentile(ours, 0.99)]), bare: toSpread([percentile(floor, 0.99)]) },
      judged: null,
      aim: null,
    },
  ];
}

/** Single starts vary more than rounds of many calls, so starts are compared in groups of ten: the medians of each. */
function byGroups(ours: readonly number[], floor: readonly number[]): Finding["figures"][string] {
  const groups = (values: readonly number[]): number[] =>
    Array.from({ length: Math.max(1, Math.floor(values.length / 10)) }, (_, group) => percentile(values.slice(group * 10, group * 10 + 10), 0.5));
  return compareRounds(groups(ours), groups(floor), ratio);
}

async function startBare(): Promise<number> {
  const startedMs = performance.now();
  const server = await startPlainServer("bare-server");
  try {
    return await timeFirstByte({
      port: server.port,
      request: toRequest({ url: new URL(`http://127.0.0.1:${server.port}/`), body: INPUT }),
      expectedHeader: "content-type: application/json",
      expectedBody: EXPECTED,
      startedMs,
    });
  } finally {
    await server.stop();
  }
}

/** Between two measurements, so looking again and again costs nobody anything. */
async function untilGone(samovar: SamovarServer): Promise<void> {
  while ((await samovar.containers("once")).length > 0) await sleep(5);
}
