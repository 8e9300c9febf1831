import { isTaskOver } from "@samovar/protocol";
import type { Execution, Put, Told, Violation } from "./history.ts";
import { childOf, ofKilledLife, parentOf, type HistoryFacts } from "./history-facts.ts";

/** What was acknowledged is there, once, and over; and nothing is there that nobody put. */
export function checkAcceptance(facts: HistoryFacts): Violation[] {
  return [
    ...facts.puts.flatMap((put) => checkPut(facts, put)),
    ...facts.tasks.flatMap((task): Violation[] => {
      if (!isTaskOver(task.status)) return [{ rule: "unfinished", taskId: task.id, message: `It is ${task.status}, and should be over` }];
      return [];
    }),
    ...[...facts.tasksOfSeq].flatMap(([seq, tasks]) => checkOrigin(facts, seq).map((violation) => ({ ...violation, taskId: tasks[0]!.id }))),
    ...[...facts.tasksOfSeq]
      .filter(([, tasks]) => tasks.length > 1)
      .map(([seq, tasks]) => ({ rule: "doubled", taskId: tasks[1]!.id, message: `${seq} was put once, and is ${tasks.map(({ id }) => id).join(", ")}` })),
    ...facts.told.flatMap((told) => checkTold(facts, told)),
    ...facts.executions.flatMap((execution) => checkOwner(facts, execution)),
  ];
}

/** What was once told of an end is so for good. */
function checkTold(facts: HistoryFacts, { taskId, status, nonce }: Told): Violation[] {
  const task = facts.task.get(taskId);
  if (task?.status === status && task.nonce === nonce) return [];
  const now = task ? `it is ${task.status} with ${task.nonce}` : "it is not there";
  return [{ rule: "taken-back", taskId, message: `Who waited for it was told ${status} with ${nonce}, and ${now}` }];
}

function checkOwner(facts: HistoryFacts, execution: Execution): Violation[] {
  const { taskId, seq } = execution;
  const task = facts.task.get(taskId);
  const fail = (what: string): Violation[] => [{ rule: "invented", taskId, message: `${seq} was executed as this task, ${what}` }];
  if (task) return task.seq === seq || task.tickAtMs !== null ? [] : fail(`whose input is ${task.seq}`);
  // A task starts beside its commit: of a server that was killed before it was there, the put has had no answer.
  const put = facts.putOfSeq.get(seq);
  const wasCutOff = put !== undefined && put.unanswered && put.answers.length === 0;
  return wasCutOff && ofKilledLife(facts, execution) ? [] : fail("which the server does not know");
}

function checkPut(facts: HistoryFacts, put: Put): Violation[] {
  const [first] = put.answers;
  if (!first) return [];
  const violations: Violation[] = [];
  const ids = new Set(put.answers.map(({ id }) => id));
  const created = put.answers.filter((answer) => answer.created).length;
  const fail = (rule: string, message: string): void => void violations.push({ rule, taskId: first.id, message: `${put.seq}: ${message}` });
  if (ids.size > 1) fail("doubled", `Its key was answered with ${[...ids].join(", ")}`);
  if (created > 1) fail("doubled", `${created} answers say that they created it`);
  if (!put.unanswered && created === 0) fail("doubled", "No answer says that it created it, and all were answered");
  for (const id of ids) if (!facts.task.has(id)) fail("lost", `It was acknowledged as ${id}, which is not there`);
  const task = facts.task.get(first.id);
  if (!task) return violations;
  if (task.seq !== put.seq) fail("mixed-up", `It was acknowledged as ${first.id}, whose input is ${task.seq}`);
  if (task.concurrencyKey !== put.concurrencyKey) fail("mixed-up", `Its concurrency key is ${task.concurrencyKey}, not ${put.concurrencyKey}`);
  if (put.behaviour.does === "chain" && task.status === "COMPLETE") {
    const children = facts.tasksOfSeq.get(childOf(put.seq))?.length ?? 0;
    if (children !== 1) fail(children === 0 ? "lost" : "doubled", `It is complete and has put its task with one key, of which there are ${children}`);
  }
  return violations;
}

function checkOrigin(facts: HistoryFacts, seq: string): Omit<Violation, "taskId">[] {
  const parent = parentOf(seq);
  const put = facts.putOfSeq.get(parent ?? seq);
  if (!put) return [{ rule: "invented", message: `Nobody put ${seq}` }];
  if (put.answers.length === 0 && !put.unanswered) return [{ rule: "invented", message: `${seq} was refused, and is there` }];
  return [];
}
