import type { TaskAttempt } from "@samovar/protocol";
import type { Behaviour, Execution, KeptTask, Violation } from "./history.ts";
import { isRecorded, mayBeOfEarlierLife, ofKilledLife, parentOf, type HistoryFacts } from "./history-facts.ts";

const CHILD: Behaviour = { does: "work", ms: 0 };

/** Every attempt is explained by what its task does and by who was killed, and every execution is an attempt. */
export function checkAttempts(facts: HistoryFacts): Violation[] {
  return facts.tasks.flatMap((task) => {
    const violations: Violation[] = [];
    const fail = (rule: string, message: string): void => void violations.push({ rule, taskId: task.id, message });
    checkRecord(facts, task, fail);
    checkFailures(facts, task, fail);
    checkStatus(facts, task, fail);
    checkExecutions(facts, task, fail);
    return violations;
  });
}

type Fail = (rule: string, message: string) => void;

const isFailure = ({ outcome }: TaskAttempt): boolean => outcome === "error" || outcome === "timeout";

function checkRecord(facts: HistoryFacts, task: KeptTask, fail: Fail): void {
  const { attempts, status } = task;
  attempts.forEach(({ number }, index) => {
    if (number !== index + 1) fail("attempt-numbers", `Attempt ${number} stands at place ${index + 1}`);
  });
  const completed = attempts.filter(({ outcome }) => outcome === "complete");
  if (completed.length > 1) fail("completed-twice", `Attempts ${completed.map(({ number }) => number).join(" and ")} completed it`);
  if (completed.length === 1 && completed[0] !== attempts.at(-1))
    fail("completed-twice", `Attempt ${attempts.at(-1)!.number} came after the one that completed it`);
  if ((status === "COMPLETE") !== completed.length > 0) fail("status", `It is ${status} with ${completed.length} attempts that completed it`);
  for (const { number, outcome } of attempts) if (outcome === null) fail("attempt-open", `Attempt ${number} has not ended, and the task is ${status}`);
  const failures = attempts.filter(isFailure).length;
  const { maxRetries } = facts.queues[task.function]!;
  if (failures > maxRetries + 1) fail("too-many-attempts", `${failures} attempts failed, and ${maxRetries + 1} may`);
}

/** A handler that threw, a process that ended, or a timeout: nothing else is a failure. */
function checkFailures(facts: HistoryFacts, task: KeptTask, fail: Fail): void {
  for (const attempt of task.attempts.filter(isFailure)) {
    const { number, outcome, containerId, error } = attempt;
    const execution = facts.executionsOf.get(task.id)?.find((each) => each.attempt === number && each.containerId === containerId);
    if (outcome === "timeout") {
      if (behaviourOf(facts, task)?.does !== "dawdle") fail("unexplained-failure", `Attempt ${number} timed out`);
      continue;
    }
    const wasKilled = facts.killedContainers.some(({ id }) => id === containerId);
    const explained = wasKilled || execution?.end === "threw" || execution?.end === "gone";
    if (!explained) {
      fail(
        "unexplained-failure",
        `Attempt ${number} failed (${error?.code}: ${error?.message}), its execution ${execution ? `says ${execution.end}` : "is unknown"}`,
      );
    }
  }
}

function checkStatus(facts: HistoryFacts, task: KeptTask, fail: Fail): void {
  const { status } = task;
  const does = behaviourOf(facts, task)?.does;
  const put = task.seq === null ? undefined : facts.putOfSeq.get(task.seq);
  const cancels = facts.cancelsOf.get(task.id) ?? [];
  if (cancels.some(({ changed }) => changed) && status !== "CANCELLED") fail("cancelled", `Its cancel was acknowledged, and it is ${status}`);
  if (status === "CANCELLED" && cancels.length === 0) fail("status", "It is CANCELLED, and nobody cancelled it");
  if (status === "EXPIRED" && (put?.ttlMs ?? null) === null) fail("status", "It is EXPIRED, and has no ttl");
  if (status === "COMPLETE" && does !== undefined && ["broken", "fatal", "poison", "dawdle"].includes(does))
    fail("status", `It is COMPLETE, and its handler is ${does}`);
  if (status !== "ERROR" && status !== "TIMEOUT") return;
  const failures = task.attempts.filter(isFailure);
  const threw = facts.executionsOf.get(task.id)?.some((execution) => execution.end === "threw" && isRecorded(facts, task, execution)) ?? false;
  const wasFatal = does === "fatal" && threw;
  if (!wasFatal && failures.length <= facts.queues[task.function]!.maxRetries) {
    fail("given-up", `It is ${status} after ${failures.length} failures, and ${facts.queues[task.function]!.maxRetries} retries are promised`);
  }
  const last = failures.at(-1);
  if (last && (last.outcome === "timeout") !== (status === "TIMEOUT")) fail("status", `It is ${status}, and its last attempt is ${last.outcome}`);
}

function checkExecutions(facts: HistoryFacts, task: KeptTask, fail: Fail): void {
  const executions = facts.executionsOf.get(task.id) ?? [];
  const seen = new Set<string>();
  for (const execution of executions) {
    const once = `${execution.life} ${execution.attempt}`;
    const isOfThatLife = !mayBeOfEarlierLife(facts, execution);
    if (isOfThatLife && seen.has(once)) fail("executed-twice", `Attempt ${execution.attempt} was executed twice in life ${execution.life} of the server`);
    if (isOfThatLife) seen.add(once);
    if (isRecorded(facts, task, execution)) continue;
    // A start is written behind: of a server that was killed the last one may be missing, and no other.
    const laterOfThatLife =
      isOfThatLife && executions.some((each) => each.life === execution.life && each.attempt > execution.attempt && isRecorded(facts, task, each));
    if ((!ofKilledLife(facts, execution) || laterOfThatLife) && !wasOvertaken(facts, task, execution)) {
      fail(
        "unrecorded",
        `Its execution as attempt ${execution.attempt} in ${execution.containerId} (life ${execution.life} of the server) is not in its record`,
      );
    }
  }
  checkCompletion(facts, task, executions, fail);
}

/** The result is that of the attempt that completed it; whatever else returned was too late, for a reason. */
function checkCompletion(facts: HistoryFacts, task: KeptTask, executions: readonly Execution[], fail: Fail): void {
  const completing = task.attempts.find(({ outcome }) => outcome === "complete");
  const winner = completing && executions.find((each) => each.attempt === completing.number && isRecorded(facts, task, each));
  if (completing && !winner) fail("result", `Attempt ${completing.number} completed it, and the witness has not seen it`);
  if (winner && winner.end !== "returned") fail("result", `Attempt ${winner.attempt} completed it, and its execution says ${winner.end}`);
  if (winner && task.nonce !== winner.nonce) {
    const other = executions.find(({ nonce }) => nonce === task.nonce);
    fail("result", `Attempt ${winner.attempt} completed it, and the result is ${other ? `of attempt ${other.attempt}` : `${task.nonce}, of no execution`}`);
  }
  for (const execution of executions) {
    if (execution === winner || execution.end !== "returned") continue;
    const outcome = isRecorded(facts, task, execution) ? task.attempts[execution.attempt - 1]!.outcome : null;
    const wasLost = ofKilledLife(facts, execution) || facts.killedContainers.some(({ id }) => id === execution.containerId);
    if (!wasLost && !wasOvertaken(facts, task, execution) && outcome !== "cancelled" && outcome !== "timeout" && outcome !== "given-back") {
      fail("result-dropped", `Attempt ${execution.attempt} returned, nobody was killed, and its outcome is ${outcome}`);
    }
  }
}

/** It began while its task was being cancelled, before anybody was told that it is. */
function wasOvertaken(facts: HistoryFacts, task: KeptTask, { startedAtMs }: Execution): boolean {
  return task.status === "CANCELLED" && (facts.cancelsOf.get(task.id) ?? []).some(({ changed, atMs }) => changed && startedAtMs <= atMs);
}

function behaviourOf(facts: HistoryFacts, task: KeptTask): Behaviour | undefined {
  if (task.seq === null) return undefined;
  return parentOf(task.seq) === null ? facts.putOfSeq.get(task.seq)?.behaviour : CHILD;
}
