import { fromSerializedError, type CallbackInfo, type TaskAttempt, type TaskDetail } from "@samovar/protocol";
import type { Colors } from "./colors.ts";
import { formatBytes, formatDateTime, formatDistance, formatDuration, formatTime } from "./durations.ts";
import { renderStack } from "./error-report.ts";
import { renderTable } from "./table.ts";
import { cutText, describeTaskDuration, describeTaskError, paintStatus, toTaskName } from "./task-cells.ts";

/** Of an input or a result: `--json` has all of it, and `--result` of that. */
const VALUE_WIDTH = 2_000;

/** All about one task: what it is, each attempt, and the last one's error with its stack. */
export function renderTask(task: TaskDetail, nowMs: number, colors: Colors): string {
  const at = (atMs: number): string => `${formatDateTime(atMs)} ${colors.dim(`(${formatDistance(atMs, nowMs)})`)}`;
  const error = describeTaskError(task.error);
  const facts: readonly (readonly [string, string | null])[] = [
    ["function", `${toTaskName(task)}${task.version === null ? "" : `, version ${task.version}`}, app ${task.app}`],
    ["with", task.parameters.length > 0 ? JSON.stringify(task.parameters) : null],
    ["delivery", task.delivery === "call" ? "a call that somebody waited for; its record may be lost with the machine" : null],
    ["created", at(task.createdAtMs)],
    ["run of", task.tickAtMs === null ? null : at(task.tickAtMs)],
    ["due", task.dueAtMs > nowMs && task.endedAtMs === null ? at(task.dueAtMs) : null],
    ["expires", task.expiresAtMs === null || task.startedAtMs !== null || task.endedAtMs !== null ? null : at(task.expiresAtMs)],
    ["started", task.startedAtMs === null ? null : at(task.startedAtMs)],
    ["ended", task.endedAtMs === null ? null : `${at(task.endedAtMs)}${task.startedAtMs === null ? "" : `, took ${describeTaskDuration(task, nowMs)}`}`],
    ["priority", task.priorityMs === 0 ? null : `${formatDuration(Math.abs(task.priorityMs))} ${task.priorityMs > 0 ? "ahead" : "behind"}`],
    ["key", task.idempotencyKey],
    ["in order", task.concurrencyKey === null ? null : `with others of ${task.concurrencyKey}`],
    ["waits", task.reason],
    ["callback", task.callback && describeCallback(task.callback, nowMs)],
    ["input", "input" in task ? showValue(task.input) : null],
    ["result", task.status === "COMPLETE" ? showResult(task, colors) : null],
  ];
  const lines = [
    `${colors.bold(task.id)}  ${paintStatus(task.status, colors)}${error === "" ? "" : `: ${error}`}`,
    ...facts.flatMap(([name, text]) => (text === null ? [] : [`${name.padEnd(10)}${text.replaceAll("\n", `\n${" ".repeat(10)}`)}`])),
  ];
  const attempts = task.attempts.length === 0 ? "" : `\n${renderAttempts(task.attempts, nowMs)}`;
  const stack = task.error?.stack === undefined ? "" : `\n${renderStack(fromSerializedError(task.error), colors)}\n`;
  return `${lines.join("\n")}\n${attempts}${stack}`;
}

function renderAttempts(attempts: readonly TaskAttempt[], nowMs: number): string {
  return renderTable(
    attempts,
    [
      { title: "ATTEMPT", align: "right", cell: (each) => String(each.number) },
      { title: "VERSION", align: "right", cell: (each) => String(each.version) },
      { title: "CONTAINER", cell: (each) => each.containerId },
      { title: "STARTED", cell: (each) => formatTime(each.startedAtMs) },
      { title: "DURATION", align: "right", cell: (each) => formatDuration((each.endedAtMs ?? nowMs) - each.startedAtMs) },
      { title: "OUTCOME", cell: (each) => each.outcome ?? "running" },
    ],
    (each) => describeTaskError(each.error) || null,
  );
}

/** `failed after 5 attempts: 503 (https://example.com/done, cb_1)`. */
export function describeCallback(callback: CallbackInfo, nowMs: number): string {
  const { state, attempts, dueAtMs, lastError } = callback;
  const tries = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
  const what = state === "failed" ? `failed after ${tries}` : state === "delivered" ? `delivered with ${tries}` : `pending after ${tries}`;
  const next = state === "pending" && dueAtMs !== null ? `, the next ${formatDistance(dueAtMs, nowMs)}` : "";
  return `${what}${next}${lastError === null ? "" : `: ${lastError}`} (${callback.url}, ${callback.id})`;
}

const showValue = (value: unknown): string => cutText(JSON.stringify(value) ?? "undefined", VALUE_WIDTH);

/** More than nothing takes: what a function that returned nothing has as its result. */
const NOTHING_BYTES = 1_024;

/** What is too large for the API to show beside the task is said with the way to it. */
function showResult(task: TaskDetail, colors: Colors): string {
  const { id, result, resultBytes, resultType } = task;
  if (task.delivery === "call") return "not kept: it went to who called";
  if (result === undefined && resultBytes !== null && resultBytes > NOTHING_BYTES) {
    return `${formatBytes(resultBytes)}${resultType === null ? "" : ` of ${resultType}`}: samovar task get ${id} --result prints it`;
  }
  return `${showValue(result ?? null)}${resultType === null ? "" : colors.dim(` (${resultType})`)}`;
}
