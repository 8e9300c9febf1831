import { isTaskOver } from "@samovar/protocol";
import type { Violation } from "./history.ts";
import type { HistoryFacts } from "./history-facts.ts";

/** Every end is told at least once, signed, and always under the same id. */
export function checkCallbacks(facts: HistoryFacts): Violation[] {
  const violations: Violation[] = [];
  const fail = (rule: string, taskId: string, message: string): void => void violations.push({ rule, taskId, message });
  for (const task of facts.tasks) {
    if (!facts.queues[task.function]!.hasCallback || !isTaskOver(task.status)) continue;
    const deliveries = facts.deliveriesOf.get(task.id) ?? [];
    if (!deliveries.some(({ answered }) => answered >= 200 && answered < 300)) fail("callback-lost", task.id, `It is ${task.status}, and no callback arrived`);
    const ids = new Set(deliveries.map(({ webhookId }) => webhookId));
    if (ids.size > 1) fail("callback-id", task.id, `Its one end was told under ${[...ids].join(", ")}`);
    for (const { status, webhookId } of deliveries)
      if (status !== task.status) fail("callback-status", task.id, `${webhookId} says ${status}, and it is ${task.status}`);
  }
  for (const { taskId, signed, webhookId } of facts.deliveries) {
    if (!signed) fail("callback-signature", taskId, `The signature of ${webhookId} is not valid`);
    const task = facts.task.get(taskId);
    if (!task || !facts.queues[task.function]!.hasCallback) fail("callback-invented", taskId, `${webhookId} is about a task that has no callback`);
  }
  const owners = Map.groupBy(facts.deliveries, ({ webhookId }) => webhookId);
  for (const [webhookId, deliveries] of owners) {
    const tasks = new Set(deliveries.map(({ taskId }) => taskId));
    if (tasks.size > 1) fail("callback-id", deliveries[0]!.taskId, `${webhookId} tells of ${[...tasks].join(", ")}`);
  }
  return violations;
}

/** A schedule's tick has at most one task, at a moment that it names. */
export function checkTicks(facts: HistoryFacts, everyMs: number): Violation[] {
  const ticks = facts.tasks.filter(({ seq }) => seq === null);
  return [...Map.groupBy(ticks, ({ tickAtMs }) => tickAtMs)].flatMap(([tickAtMs, tasks]): Violation[] => {
    if (tickAtMs === null || tickAtMs % everyMs !== 0) return [{ rule: "tick", taskId: tasks[0]!.id, message: `It stands for ${tickAtMs}, which is no tick` }];
    return tasks.length === 1
      ? []
      : [{ rule: "tick-twice", taskId: tasks[1]!.id, message: `${tasks.length} tasks stand for ${new Date(tickAtMs).toISOString()}` }];
  });
}
