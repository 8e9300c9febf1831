import { setTimeout as sleep } from "node:timers/promises";
import type { Finding } from "../finding.ts";
import { timeFirstByte } from "../load/first-byte.ts";
import { toRequest } from "../load/load-job.ts";
import { compareRounds, percentile, ratio, toSpread, type Spread } from "../statistics.ts";
import type { PlainServer } from "../targets/plain-server.ts";
import type { SamovarServer } from "../targets/samovar-server.ts";
import type { Progress } from "../terminal.ts";

/** What the cold starts have in common that are compared: the same request and answer, in turns, from quiet. */

const INPUT = JSON.stringify({ name: "Samovar" });
const EXPECTED = JSON.stringify({ message: "Hello, Samovar!" });
/**
 * Quiet before each start: starts back to back hide what a system that has gone idle costs. Long enough for what the server
 * does after a start, such as making folders ahead, which must not fall into another target's start.
 */
const PAUSE_MS = 400;
const GROUP = 10;

export interface ColdTarget {
  readonly name: string;
  /** 1: in each turn, 4: in each fourth. */
  readonly everyTurns: number;
  /** Starts it, and resolves with the milliseconds to the first byte of its answer when nothing of it is left. */
  start(): Promise<number>;
}

/** By name, the milliseconds of each target's starts. */
export async function startInTurns(
  targets: readonly ColdTarget[],
  { turns, what, progress }: { readonly turns: number; readonly what: string; readonly progress: Progress },
): Promise<Record<string, readonly number[]>> {
  const took: Record<string, number[]> = Object.fromEntries(targets.map(({ name }) => [name, []]));
  for (let turn = 0; turn <= turns; turn++) {
    // To and fro, so that none always comes after the same one.
    for (const { name, everyTurns, start } of turn % 2 === 0 ? targets : targets.toReversed()) {
      if (turn % everyTurns !== 0) continue;
      progress(`${what}: ${turn} of ${turns}, ${name}`);
      await sleep(PAUSE_MS);
      const ms = await start();
      // The first of each is thrown away: it reads files that are not in memory yet.
      if (turn > 0) took[name]!.push(ms);
    }
  }
  return took;
}

/** A call of a function each of whose calls gets a container of its own: from the request to the first byte of the answer. */
export function samovarTarget(samovar: SamovarServer): ColdTarget {
  const url = samovar.endpoint("once");
  const request = toRequest({ url, token: samovar.token, body: INPUT });
  return {
    name: "samovar",
    everyTurns: 1,
    async start() {
      const ms = await timeFirstByte({
        port: Number(url.port),
        request,
        expectedHeader: "x-samovar-cold-start: 1",
        expectedBody: EXPECTED,
        startedMs: performance.now(),
      });
      // Between two measurements, so looking again and again costs nobody anything.
      while ((await samovar.containers("once")).length > 0) await sleep(5);
      return ms;
    },
  };
}

/** The bare server, from the start of the first process that it takes to the first byte of the answer. */
export function bareTarget(name: string, everyTurns: number, startServer: () => Promise<PlainServer>): ColdTarget {
  return {
    name,
    everyTurns,
    async start() {
      const startedMs = performance.now();
      const server = await startServer();
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
    },
  };
}

/** Single starts vary more than rounds of many calls, so they are compared in groups of ten: the medians of each. */
export function compareGroups(ours: readonly number[], floor: readonly number[]): Spread {
  const groups = (values: readonly number[]): number[] =>
    Array.from({ length: Math.max(1, Math.floor(values.length / GROUP)) }, (_, group) => percentile(values.slice(group * GROUP, (group + 1) * GROUP), 0.5));
  return compareRounds(groups(ours), groups(floor), ratio);
}

export function toColdFindings({ id, title, figures, floor }: ColdFigures): readonly Finding[] {
  const spreads = (of: (values: readonly number[]) => Spread): Record<string, Spread> =>
    Object.fromEntries(Object.entries(figures).map(([name, values]) => [name, of(values)]));
  return [
    {
      id,
      title,
      unit: "ms",
      figures: spreads(toSpread),
      judged: floor === null ? null : { what: `× ${floor}`, spread: compareGroups(figures["samovar"]!, figures[floor]!) },
      aim: floor === null ? null : { at: "most", value: 1.5 },
    },
    { id: `${id}-p99`, title: "  p99", unit: "ms", figures: spreads((values) => toSpread([percentile(values, 0.99)])), judged: null, aim: null },
  ];
}

export interface ColdFigures {
  readonly id: string;
  readonly title: string;
  readonly figures: Readonly<Record<string, readonly number[]>>;
  /** Which of the figures ours are held against; null where that can't be had. */
  readonly floor: string | null;
}
