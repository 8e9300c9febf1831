import type { ServerResponse } from "node:http";
import { CONTENT_TYPES, encodeServerEvent, encodeValue } from "@samovar/protocol";
import type { CallbackInfo, LogLine, PutTasksRequest, ScheduleInfo, TaskChange, TaskDetail, TaskInfo, TaskSelection } from "@samovar/protocol";

/** What of a fake server is about tasks. */
export interface TaskServerData {
  readonly tasks?: readonly TaskDetail[];
  /** What is told to those who follow, before the stream ends. */
  readonly changes?: readonly TaskChange[];
  /** How many a retry leaves as they are. */
  readonly unserved?: number;
  /** What a task is when it is waited for. */
  readonly waited?: TaskDetail;
  /** Called where a task is waited for, which is not answered then. */
  readonly onWait?: () => void;
  /** Its result, where that is another than the API shows beside it. */
  readonly result?: unknown;
  readonly schedules?: readonly ScheduleInfo[];
  readonly callbacks?: readonly CallbackInfo[];
  readonly taskLogs?: readonly LogLine[];
  readonly followsForever?: boolean;
}

export interface TaskRequest {
  readonly method: string;
  readonly url: URL;
  /** Below /api/v1. */
  readonly path: readonly string[];
  readonly accept: string;
  readonly body: unknown;
  readonly response: ServerResponse;
  readonly data: TaskServerData;
}

/** Answers what is about tasks, schedules and callbacks; false for other requests. */
export function answerTasks(request: TaskRequest): boolean {
  const [noun, id, verb] = request.path;
  if (noun === "functions" && verb === "tasks") answerPut(request);
  else if (noun === "tasks") answerTask(request, id, verb);
  else if (noun === "schedules") answerSchedules(request, id, verb);
  else if (noun === "callbacks") answerCallbacks(request, id, verb);
  else return false;
  return true;
}

function answerPut({ body, response }: TaskRequest): void {
  const { tasks } = body as PutTasksRequest;
  json(response, { tasks: tasks.map((task) => ({ id: "tk_1", created: task.idempotencyKey !== "seen" })) }, 202);
}

function answerTask(request: TaskRequest, id: string | undefined, verb: string | undefined): void {
  const { method, url, accept, body, response, data } = request;
  const tasks = data.tasks ?? [];
  if (id === undefined) return answerList(request);
  if (id === "events") return stream(response, "application/x-ndjson", data.changes ?? [], (change) => `${JSON.stringify(change)}\n`, data.followsForever);
  if (method === "POST" && verb === undefined) {
    const { status, ...rest } = body as { readonly status: string; readonly function?: string };
    const found = matching(tasks, { ...rest, statuses: status.split(",") as TaskInfo["status"][] });
    return json(response, { changed: found.length, ...(data.unserved === undefined ? {} : { unserved: data.unserved }) });
  }
  const task = tasks.find((each) => each.id === id);
  if (!task) return problem(response, 404, "not_found", `No task has the id ${id}`);
  if (verb === "result") return void response.writeHead(200, { "content-type": CONTENT_TYPES.value }).end(encodeValue(data.result ?? task.result));
  if (verb === "logs") return stream(response, "application/x-ndjson", data.taskLogs ?? [], (line) => `${JSON.stringify(line)}\n`, data.followsForever);
  if (verb !== undefined) {
    const changed = task.delivery === "call" ? false : verb === "cancel" ? task.endedAtMs === null : task.endedAtMs !== null && task.status !== "COMPLETE";
    return json(response, { task: changed ? { ...task, status: verb === "cancel" ? "CANCELLED" : "PENDING" } : task, changed });
  }
  if (accept.includes("text/event-stream"))
    return stream(response, "text/event-stream", data.changes ?? [], (change) => encodeServerEvent("status", change), data.followsForever);
  if (url.searchParams.has("wait") && data.onWait) return data.onWait();
  json(response, url.searchParams.has("wait") || data.changes ? (data.waited ?? task) : task);
}

function answerList({ url, response, data }: TaskRequest): void {
  const statuses = url.searchParams.get("status")?.split(",");
  const name = url.searchParams.get("function") ?? undefined;
  const found = matching(data.tasks ?? [], {
    ...(name === undefined ? {} : { function: name }),
    ...(statuses ? { statuses: statuses as TaskInfo["status"][] } : {}),
  });
  json(response, toPage("tasks", found, url));
}

/** One of `limit`; a cursor is how many came before. */
function toPage(name: string, found: readonly unknown[], { searchParams }: URL): object {
  const from = Number(searchParams.get("cursor") ?? 0);
  const to = from + Number(searchParams.get("limit") ?? 100);
  return { [name]: found.slice(from, to), cursor: to < found.length ? String(to) : null };
}

function matching(tasks: readonly TaskInfo[], selection: TaskSelection): readonly TaskInfo[] {
  return tasks.filter(
    (task) =>
      (selection.function === undefined || task.function === selection.function) &&
      (selection.statuses === undefined || selection.statuses.includes(task.status)),
  );
}

function answerSchedules({ response, data }: TaskRequest, name: string | undefined, verb: string | undefined): void {
  const schedules = data.schedules ?? [];
  if (name === undefined) return json(response, { schedules });
  const schedule = schedules.find((each) => each.name === name);
  if (!schedule) return problem(response, 404, "not_found", `No schedule is named "${name}". Did you mean report?`);
  if (verb === "run") return json(response, { taskId: "tk_1" }, 202);
  json(response, verb === "pause" ? { ...schedule, state: "paused", nextRunsAtMs: [] } : schedule);
}

function answerCallbacks({ url, response, data }: TaskRequest, id: string | undefined, verb: string | undefined): void {
  const callbacks = data.callbacks ?? [];
  if (id === undefined) {
    const state = url.searchParams.get("state");
    const found = callbacks.filter((each) => state === null || each.state === state);
    return json(response, toPage("callbacks", found, url));
  }
  if (id === "retry") return json(response, { changed: callbacks.filter((each) => each.state === "failed").length });
  if (id === "secret") return json(response, { secret: `whsec_${url.searchParams.get("app")}` });
  const callback = callbacks.find((each) => each.id === id);
  if (!callback) return problem(response, 404, "not_found", `No callback has the id ${id}`);
  json(response, verb === "retry" ? { ...callback, state: "pending", attempts: 0 } : callback);
}

function stream<T>(response: ServerResponse, type: string, items: readonly T[], toText: (item: T) => string, isEndless = false): void {
  response.writeHead(200, { "content-type": type });
  for (const item of items) response.write(toText(item));
  if (isEndless) response.flushHeaders();
  else response.end();
}

export function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

export function problem(response: ServerResponse, status: number, code: string, detail: string): void {
  response.writeHead(status, { "content-type": "application/problem+json" }).end(JSON.stringify({ type: "about:blank", title: code, status, detail, code }));
}

/** Accepted an hour before `nowMs`, and over a second after it began. */
export function taskDetail(over: Partial<TaskDetail> = {}, nowMs = Date.now()): TaskDetail {
  const createdAtMs = nowMs - 3_600_000;
  return {
    id: "tk_1",
    function: "transcribe",
    app: "models",
    method: null,
    parameters: [],
    delivery: "queued",
    version: 2,
    status: "COMPLETE",
    attempts: [
      { number: 1, version: 2, containerId: "ct_alpha", startedAtMs: createdAtMs + 500, endedAtMs: createdAtMs + 1_500, outcome: "complete", error: null },
    ],
    createdAtMs,
    dueAtMs: createdAtMs,
    startedAtMs: createdAtMs + 500,
    endedAtMs: createdAtMs + 1_500,
    expiresAtMs: null,
    priorityMs: 0,
    concurrencyKey: null,
    idempotencyKey: null,
    tickAtMs: null,
    error: null,
    result: { words: 12 },
    resultType: "application/json",
    resultBytes: 2,
    input: { url: "a.mp3" },
    reason: null,
    callback: null,
    ...over,
  };
}

export function failedTask(over: Partial<TaskDetail> = {}, nowMs = Date.now()): TaskDetail {
  const task = taskDetail({}, nowMs);
  const error = { name: "TypeError", message: "bad weather\nand wind", stack: "TypeError: bad weather\n    at transcribe (app.ts:3:9)" };
  const attempt = (number: number, fromMs: number) => ({
    number,
    version: 2,
    containerId: "ct_alpha",
    startedAtMs: task.createdAtMs + fromMs,
    endedAtMs: task.createdAtMs + fromMs + 31,
    outcome: "error" as const,
    error,
  });
  const { result: _result, ...rest } = task;
  return { ...rest, id: "tk_2", status: "ERROR", attempts: [attempt(1, 500), attempt(2, 1_500)], resultType: null, resultBytes: null, error, ...over };
}

export function pendingTask(over: Partial<TaskDetail> = {}, nowMs = Date.now()): TaskDetail {
  const { result: _result, ...task } = taskDetail({}, nowMs);
  return {
    ...task,
    id: "tk_3",
    status: "PENDING",
    version: null,
    attempts: [],
    startedAtMs: null,
    endedAtMs: null,
    dueAtMs: nowMs + 180_000,
    resultType: null,
    resultBytes: null,
    reason: "it is due in 3 min",
    ...over,
  };
}

export function scheduleInfo(over: Partial<ScheduleInfo> = {}): ScheduleInfo {
  return {
    name: "report",
    app: "models",
    id: "fn_9",
    when: "0 9 * * *",
    timezone: "Europe/Berlin",
    overlap: "skip",
    catchUp: "last",
    state: "active",
    nextRunsAtMs: [],
    lastTickAtMs: null,
    lastTaskId: null,
    ...over,
  };
}

export function callbackInfo(over: Partial<CallbackInfo> = {}): CallbackInfo {
  return {
    id: "cb_1",
    taskId: "tk_1",
    function: "transcribe",
    app: "models",
    url: "https://example.com/done",
    state: "delivered",
    attempts: 1,
    createdAtMs: Date.now() - 3_600_000,
    dueAtMs: null,
    endedAtMs: Date.now() - 3_590_000,
    lastError: null,
    ...over,
  };
}
