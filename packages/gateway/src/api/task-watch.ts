import type { IncomingMessage, ServerResponse } from "node:http";
import { CONTENT_TYPES, SamovarError, encodeServerEvent, isTaskOver, show, type TaskChange, type TaskDetail } from "@samovar/protocol";
import type { TaskWatch } from "@samovar/scheduler";
import { mayTouch, type Principal } from "../authenticator.ts";
import type { ApiAnswer, ApiContext } from "./api-route.ts";
import { NDJSON, sse, type PushStream } from "./push-stream.ts";
import { openStream } from "./route-parts.ts";

const HEARTBEAT_MS = 15_000;
/** A reader of changes that is so far behind is cut: it asks again, and begins with what is. */
const MAX_BEHIND_BYTES = 4 * 1024 * 1024;

/** The task, where this caller may know of it: another app's is as none. */
export async function findTask({ control }: ApiContext, principal: Principal, id: string): Promise<TaskDetail> {
  const task = await control.tasks.get(id);
  if (task && mayTouch(principal, task.app)) return task;
  throw new SamovarError("not_found", `No task has the id ${show(id)}, or it is no longer kept: list them with /api/v1/tasks`);
}

/** The task as it is when it is over, or after `waitMs`, or when the server stops. Nothing is left behind when the client hangs up. */
export async function awaitTask(context: ApiContext, principal: Principal, id: string, waitMs: number, res: ServerResponse): Promise<TaskDetail> {
  if (waitMs === 0 || context.isDraining()) return findTask(context, principal, id);
  const wake = Promise.withResolvers<void>();
  const held = { end: wake.resolve };
  // Before it is read: what changes meanwhile is seen.
  const unwatch = context.control.tasks.watch({ id }, ({ status }) => {
    if (isTaskOver(status)) wake.resolve();
  });
  const cancelTimer = context.clock.after(waitMs, wake.resolve);
  context.streams.add(held);
  res.once("close", wake.resolve);
  if (res.destroyed) wake.resolve();
  try {
    const task = await findTask(context, principal, id);
    if (isTaskOver(task.status)) return task;
    await wake.promise;
    return res.destroyed ? task : await findTask(context, principal, id);
  } finally {
    unwatch();
    cancelTimer();
    context.streams.delete(held);
    res.off("close", wake.resolve);
  }
}

/** One task's states as server-sent events: what it is, then each change, until it is over. */
export async function followTask(context: ApiContext, principal: Principal, id: string, req: IncomingMessage, res: ServerResponse): Promise<ApiAnswer> {
  let early: TaskChange[] | null = [];
  let stream: PushStream | null = null;
  const send = (change: TaskChange): void => {
    stream!.send(change, { droppable: false });
    if (!isTaskOver(change.status)) return;
    stream!.note(encodeServerEvent("end", { id: change.id, status: change.status }));
    stream!.end();
  };
  const unwatch = context.control.tasks.watch({ id }, (change) => {
    if (early) early.push(change);
    else send(change);
  });
  res.once("close", unwatch);
  let task: TaskDetail;
  try {
    task = await findTask(context, principal, id);
  } catch (error) {
    unwatch();
    throw error;
  }
  if (res.destroyed) return "streaming";
  stream = openEvents(context, req, res, true);
  const now = toChange(task, context.clock.now());
  const missed = early.slice(early.findLastIndex((change) => change.status === now.status && change.attempt === now.attempt) + 1);
  early = null;
  send(now);
  if (!isTaskOver(now.status)) for (const change of missed) if (change.attempt >= now.attempt) send(change);
  return "streaming";
}

/** The changes of all tasks that match, without end. */
export function followTasks(context: ApiContext, which: TaskWatch, req: IncomingMessage, res: ServerResponse): ApiAnswer {
  if (res.destroyed) return "streaming";
  const stream = openEvents(context, req, res, req.headers.accept?.includes(CONTENT_TYPES.sse) ?? false);
  res.once(
    "close",
    context.control.tasks.watch(which, (change) => stream.send(change, { droppable: false })),
  );
  return "streaming";
}

/** Open at once, and kept awake where the format has comments. */
function openEvents(context: ApiContext, req: IncomingMessage, res: ServerResponse, asEvents: boolean): PushStream {
  const stream = openStream(context, res, { format: asEvents ? sse("status") : NDJSON, breakBytes: MAX_BEHIND_BYTES });
  stream.open();
  // A head is all that HEAD is answered with.
  if (req.method === "HEAD" || context.isDraining()) stream.end();
  else if (asEvents) keepAwake(context, stream, res);
  return stream;
}

function keepAwake({ clock }: ApiContext, stream: PushStream, res: ServerResponse): void {
  let cancelTimer = (): void => {};
  const beat = (): void => {
    if (res.writableLength === 0) stream.note(":\n\n");
    cancelTimer = clock.after(HEARTBEAT_MS, beat);
  };
  cancelTimer = clock.after(HEARTBEAT_MS, beat);
  res.once("close", () => cancelTimer());
}

function toChange(task: TaskDetail, atMs: number): TaskChange {
  const { id, app, status, attempts, error } = task;
  return { id, function: task.function, app, status, attempt: attempts.at(-1)?.number ?? 0, atMs: task.endedAtMs ?? atMs, ...(error ? { error } : {}) };
}
