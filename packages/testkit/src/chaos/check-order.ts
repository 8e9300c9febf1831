import type { Execution, KeptTask, Put, Violation } from "./history.ts";
import { isRecorded, mayBeOfEarlierLife, ofKilledLife, type HistoryFacts } from "./history-facts.ts";

/** Tasks of one concurrency key: one after another, in the order in which they were accepted. */
export function checkKeys(facts: HistoryFacts): Violation[] {
  const keyed = facts.puts.filter(({ concurrencyKey, answers }) => concurrencyKey !== null && answers.length > 0);
  return [...Map.groupBy(keyed, (put) => `${put.function} ${put.concurrencyKey}`).values()].flatMap((puts) => [
    ...checkOrder(facts, puts),
    ...checkOverlap(facts, puts),
  ]);
}

/** Holds whoever is killed: a task begins when the one before it is over, on disk. */
function checkOrder(facts: HistoryFacts, puts: readonly Put[]): Violation[] {
  const violations: Violation[] = [];
  let before: KeptTask | undefined;
  for (const put of puts) {
    const task = facts.task.get(put.answers[0]!.id);
    if (!task) continue;
    const overAtMs = before?.endedAtMs ?? -Infinity;
    const early = facts.executionsOf.get(task.id)?.find(({ startedAtMs }) => startedAtMs < overAtMs);
    if (early) {
      violations.push({
        rule: "key-order",
        taskId: task.id,
        message: `Attempt ${early.attempt} began ${overAtMs - early.startedAtMs} ms before ${before!.id}, which was accepted before it for the key ${put.concurrencyKey}, was over`,
      });
    }
    before = task;
  }
  return violations;
}

/**
 * No two executions at a time. The one thing that can't be promised: a container whose server was killed goes on until it
 * notices, with an attempt that can no longer complete anything, while the next server begins anew.
 */
function checkOverlap(facts: HistoryFacts, puts: readonly Put[]): Violation[] {
  const executions = puts.flatMap(({ answers }) => facts.executionsOf.get(answers[0]!.id) ?? []).sort((a, b) => a.startedAtMs - b.startedAtMs);
  return executions.flatMap((later, index) =>
    executions
      .slice(0, index)
      .filter((earlier) => (earlier.endedAtMs ?? Infinity) > later.startedAtMs && !mayOverlap(facts, earlier, later))
      .map((earlier) => ({
        rule: "key-overlap",
        taskId: later.taskId,
        message: `Attempt ${later.attempt} began while attempt ${earlier.attempt} of ${earlier.taskId}, of the same key, was running`,
      })),
  );
}

function mayOverlap(facts: HistoryFacts, one: Execution, other: Execution): boolean {
  if (mayBeOfEarlierLife(facts, one) || mayBeOfEarlierLife(facts, other)) return true;
  const [older, newer] = one.life <= other.life ? [one, other] : [other, one];
  return older.life !== newer.life && ofKilledLife(facts, older);
}

/** Cancelled, expired and delayed tasks run when they may, or not at all. */
export function checkWishes(facts: HistoryFacts): Violation[] {
  return [
    ...facts.cancels.filter(({ changed }) => changed).flatMap((cancel) => checkCancelled(facts, cancel)),
    ...facts.puts.flatMap((put) => checkTimes(facts, put)),
  ];
}

function checkCancelled(facts: HistoryFacts, cancel: { readonly taskId: string; readonly atMs: number }): Violation[] {
  const task = facts.task.get(cancel.taskId);
  if (!task) return [{ rule: "lost", taskId: cancel.taskId, message: "It was cancelled, and is not there" }];
  const attempt = task.attempts.find(({ startedAtMs }) => startedAtMs > cancel.atMs);
  // What was on its way to a container arrives after the answer; what began in a later life had no such excuse.
  const execution = facts.executionsOf.get(task.id)?.find((each) => facts.lives[each.life]!.startedAtMs > cancel.atMs && !mayBeOfEarlierLife(facts, each));
  const number = attempt?.number ?? execution?.attempt;
  return number === undefined ? [] : [{ rule: "cancelled", taskId: task.id, message: `Attempt ${number} began after its cancel was acknowledged` }];
}

function checkTimes(facts: HistoryFacts, put: Put): Violation[] {
  const task = facts.task.get(put.answers[0]?.id ?? "");
  if (!task) return [];
  const violations: Violation[] = [];
  const fail = (rule: string, message: string): void => void violations.push({ rule, taskId: task.id, message });
  const executions = facts.executionsOf.get(task.id) ?? [];
  const [first] = executions;
  if (first && first.startedAtMs < put.sentAtMs + put.delayMs) {
    fail("delay", `It began ${first.startedAtMs - put.sentAtMs} ms after it was put, with a delay of ${put.delayMs} ms`);
  }
  if (put.ttlMs === null) return violations;
  // A start that was lost with its server does not count: the task waits again, and its time goes on.
  const ran = executions.find((execution) => isRecorded(facts, task, execution) || !ofKilledLife(facts, execution));
  if (task.status === "EXPIRED" && (ran || task.attempts.length > 0)) fail("expired", "It is EXPIRED, and an attempt had begun");
  const lastMs = task.createdAtMs + put.delayMs + put.ttlMs;
  const begun = task.attempts[0]?.startedAtMs;
  if (begun !== undefined && begun > lastMs) fail("expired", `Its first attempt began ${begun - lastMs} ms after it had expired`);
  return violations;
}
