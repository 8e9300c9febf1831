import type { History, Violation } from "./history.ts";
import type { ChaosReport } from "./run-chaos.ts";

const SHOWN = 8;

/** What was done and seen, and of what was violated the history of each task. */
export function renderReport({ history, violations, actions, deploys, folder }: ChaosReport, seed: number): string {
  const statuses = Object.entries(Object.groupBy(history.tasks, ({ status }) => status)).map(([status, tasks]) => `${tasks.length} ${status}`);
  const ends = Object.entries(Object.groupBy(history.executions, ({ end }) => String(end))).map(([end, executions]) => `${executions!.length} ${end}`);
  const acknowledged = history.puts.filter(({ answers }) => answers.length > 0).length;
  const lines = [
    `${Object.entries(actions)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(", ")}; ${history.lives.length} lives of the server; ${deploys.done} deploys, ${deploys.failed} cut off`,
    `${history.puts.length} tasks put, ${acknowledged} acknowledged; ${history.tasks.length} kept: ${statuses.join(", ")}`,
    `${history.executions.length} executions: ${ends.join(", ")}; ${history.deliveries.length} callbacks`,
    describeExcused(history),
    violations.length === 0 ? "Everything holds" : `${violations.length} violations with seed ${seed}; all of it is kept in ${folder}`,
  ];
  const counts = Object.entries(Object.groupBy(violations, ({ rule }) => rule)).map(([rule, list]) => `  ${list!.length} × ${rule}`);
  return [...lines, ...counts, ...violations.slice(0, SHOWN).map((violation) => renderViolation(history, violation))].join("\n");
}

/** What went on over the death of its server, and what killed servers left behind and the check allows: how often it had to be told apart from a violation. */
function describeExcused(history: History): string {
  const tasks = new Map(history.tasks.map((task) => [task.id, task]));
  const winners = history.executions.filter(({ nonce, taskId }) => tasks.get(taskId)?.nonce === nonce);
  const late = history.executions.filter(({ end }) => end === "returned").length - winners.length;
  const lostStarts = history.executions.filter(({ taskId, attempt, containerId }) => tasks.get(taskId)?.attempts[attempt - 1]?.containerId !== containerId);
  const begunEarly = history.executions.filter(({ taskId }) => !tasks.has(taskId));
  const again = history.deliveries.length - new Set(history.deliveries.map(({ webhookId }) => webhookId)).size;
  const resent = history.puts.filter(({ unanswered, answers }) => unanswered && answers.length > 0).length;
  const givenBack = history.tasks.flatMap(({ attempts }) => attempts).filter(({ outcome }) => outcome === "given-back").length;
  const lifeAt = (atMs: number): number => history.lives.findLastIndex(({ startedAtMs }) => startedAtMs <= atMs);
  const outlived = winners.filter(({ life, endedAtMs }) => lifeAt(endedAtMs ?? 0) > life).length;
  return `${outlived} executions outlived their server and completed their tasks; ${givenBack} attempts given back, ${lostStarts.length} starts lost with their server (${begunEarly.length} of tasks that were not there yet), ${late} results too late; ${resent} puts sent again; ${again} callbacks more than once`;
}

function renderViolation(history: History, { rule, taskId, message }: Violation): string {
  if (taskId === null) return `\n${rule}: ${message}`;
  return `\n${rule}: ${taskId}: ${message}\n${renderTask(history, taskId)}`;
}

/** Everything that anybody saw of one task, in the order of time. */
function renderTask(history: History, taskId: string): string {
  const task = history.tasks.find(({ id }) => id === taskId);
  const put = history.puts.find(({ seq, answers }) => seq === task?.seq || answers.some(({ id }) => id === taskId));
  const events: { atMs: number; what: string }[] = [];
  const at = (atMs: number | null | undefined, what: string): void => void (typeof atMs === "number" && events.push({ atMs, what }));
  if (put)
    at(
      put.sentAtMs,
      `put as ${put.seq} to ${put.function}: ${JSON.stringify({ ...put.behaviour, delayMs: put.delayMs, ttlMs: put.ttlMs, key: put.concurrencyKey })}`,
    );
  for (const { id, created, atMs } of put?.answers ?? []) at(atMs, `acknowledged as ${id} (created: ${created})`);
  for (const { atMs, changed } of history.cancels.filter((cancel) => cancel.taskId === taskId)) at(atMs, `cancel acknowledged (changed: ${changed})`);
  for (const { number, containerId, startedAtMs, endedAtMs, outcome, error } of task?.attempts ?? []) {
    at(startedAtMs, `record: attempt ${number} began in ${containerId}`);
    at(endedAtMs, `record: attempt ${number} is ${outcome}${error ? ` (${error.code}: ${error.message})` : ""}`);
  }
  const executions = history.executions.filter((execution) => execution.taskId === taskId);
  for (const { attempt, containerId, life, startedAtMs, endedAtMs, end, nonce } of executions) {
    at(startedAtMs, `witness: attempt ${attempt} began in ${containerId}, life ${life} (${nonce})`);
    at(endedAtMs, `witness: attempt ${attempt} ${end}`);
  }
  for (const { atMs, webhookId, status, answered } of history.deliveries.filter((delivery) => delivery.taskId === taskId))
    at(atMs, `callback ${webhookId}: ${status}, answered ${answered}`);
  const firstMs = Math.min(...events.map(({ atMs }) => atMs));
  const lastMs = Math.max(...events.map(({ atMs }) => atMs), task?.endedAtMs ?? 0);
  history.lives.forEach(({ startedAtMs, endedAtMs, end }, index) => {
    if (startedAtMs >= firstMs && startedAtMs <= lastMs) at(startedAtMs, `life ${index} of the server begins`);
    if (endedAtMs !== null && endedAtMs >= firstMs && endedAtMs <= lastMs) at(endedAtMs, `life ${index} of the server ends: ${end}`);
  });
  const containers = new Set([...executions, ...(task?.attempts ?? [])].map(({ containerId }) => containerId));
  for (const { id, atMs } of history.killedContainers) if (containers.has(id)) at(atMs, `${id} is killed`);
  at(task?.endedAtMs, `over: ${task?.status}, result of ${task?.nonce}`);
  return events
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ atMs, what }) => `  ${new Date(atMs).toISOString().slice(11)}  ${what}`)
    .join("\n");
}
