import { setTimeout as sleep } from "node:timers/promises";
import type { Finding } from "../finding.ts";
import { nowUs } from "../queues/job.ts";
import { startSamovar, type SamovarSystem } from "../queues/samovar-system.ts";
import { IDLE_QUEUE, queueOf } from "../queues/system.ts";
import { FILL, Measured } from "../queues/turn.ts";
import { compareRounds, ratio, toSpread } from "../statistics.ts";
import type { Progress } from "../terminal.ts";
import type { Scope } from "./scope.ts";

type Target = Measured<SamovarSystem>;
type Name = "samovar" | "full";

/** What is put into the full queue, and taken from it, in a round. */
const PUT = 2_000;
const TAKEN = 20_000;
const SLOTS = 64;
/** All slots of the full queue are held so long: all but the last moment of it belongs to the other queue's turn. */
const HOLD_MS = 30_000;
const LONG_MS = 7_200_000;
/** A fifth slower at most. */
const LEAST = 0.8;

/** One way of measuring, on the empty server and on the full one, round by round. */
type Figures = Record<Name, number[]>;

/** How much slower tasks are put and begun while very many wait: of another function, and before them in their own queue. */
export async function measureTasksMillion(scope: Scope, progress: Progress): Promise<readonly Finding[]> {
  progress("tasks-million: starting two servers");
  await using cleanUp = new AsyncDisposableStack();
  const open = async (): Promise<Target> => {
    const target = new Measured(await startSamovar());
    cleanUp.defer(() => target.stop());
    return target;
  };
  const targets: Record<Name, Target> = { samovar: await open(), full: await open() };
  const { waiting, rounds } = scope.tasks;
  const label = waiting.toLocaleString("en");
  return [
    ...(await besideOthers(targets, label, scope, (text) => progress(`tasks-million: ${text}`))),
    ...(await inOneQueue(targets, label, waiting, rounds, (text) => progress(`tasks-million: ${text}`))),
  ];
}

async function besideOthers(targets: Record<Name, Target>, label: string, { tasks }: Scope, progress: Progress): Promise<readonly Finding[]> {
  progress(`filling with ${label} of another function`);
  await targets.full.hold(IDLE_QUEUE, 1, nowUs() + LONG_MS * 1_000);
  await targets.full.put(IDLE_QUEUE, tasks.waiting, FILL);
  const burst = toFigures();
  const drain = toFigures();
  for (let round = -1; round < tasks.rounds; round++) {
    for (const name of ["samovar", "full"] as const) {
      progress(`round ${round + 1} of ${tasks.rounds}, ${name}`);
      const target = targets[name];
      await target.system.startWorker(10);
      const one = await target.burst(10, tasks.burst, 1);
      await target.system.startWorker(SLOTS);
      const { putsPerSecond } = await target.burst(SLOTS, tasks.burst, 100);
      const all = await target.drain(SLOTS, TAKEN, putsPerSecond);
      // The first round warms both.
      if (round < 0) continue;
      burst[name].push(one.perSecond);
      drain[name].push(all.perSecond);
    }
  }
  return [
    toFinding("beside-burst", `put and done beside ${label} of another function`, burst),
    toFinding("beside-drain", `taken from a queue beside ${label} of another function`, drain),
  ];
}

async function inOneQueue(targets: Record<Name, Target>, label: string, waiting: number, rounds: number, progress: Progress): Promise<readonly Finding[]> {
  progress(`filling the same queue with ${label}`);
  const queue = queueOf(SLOTS);
  let untilUs = nowUs() + Math.max(HOLD_MS, waiting / 5) * 1_000;
  await targets.full.hold(queue, SLOTS, untilUs);
  await targets.full.put(queue, waiting, FILL);
  const puts = toFigures();
  const taken = toFigures();
  for (let round = 0; round < rounds; round++) {
    progress(`the same queue, round ${round + 1} of ${rounds}`);
    const emptyUntilUs = nowUs() + (HOLD_MS * 1_000) / 2;
    await targets.samovar.hold(queue, SLOTS, emptyUntilUs);
    puts.samovar.push((await targets.samovar.put(queue, PUT, 1)).putsPerSecond);
    await targets.samovar.put(queue, TAKEN - PUT, FILL);
    taken.samovar.push(await take(targets.samovar, emptyUntilUs));
    puts.full.push((await targets.full.put(queue, PUT, 1)).putsPerSecond);
    taken.full.push(await take(targets.full, untilUs));
    // At once: it goes on taking what waits.
    untilUs = nowUs() + HOLD_MS * 1_000;
    await targets.full.hold(queue, SLOTS, untilUs);
  }
  return [toFinding("same-puts", `put behind ${label}`, puts), toFinding("same-taken", `taken from a queue of ${label}`, taken)];
}

/** Jobs a second, from the moment in which the slots are free. */
async function take({ system }: Target, untilUs: number): Promise<number> {
  if (nowUs() > untilUs) throw new Error("The slots of the queue were free before all was put: the machine is too slow for this measurement");
  await system.startWorker(SLOTS);
  const done = system.untilRun(SLOTS + TAKEN);
  await sleep((untilUs - nowUs()) / 1_000);
  await done;
  return (TAKEN / (nowUs() - untilUs)) * 1e6;
}

const toFigures = (): Figures => ({ samovar: [], full: [] });

function toFinding(id: string, title: string, { samovar, full }: Figures): Finding {
  return {
    id: `million-${id}`,
    title,
    unit: "jobs/s",
    figures: { samovar: toSpread(samovar), full: toSpread(full) },
    judged: { what: "× empty", spread: compareRounds(full, samovar, ratio) },
    aim: { at: "least", value: LEAST },
  };
}
