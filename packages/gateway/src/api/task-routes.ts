import { z } from "zod";
import { CONTENT_TYPES, MAX_TASK_WAIT_MS, SamovarError, isTaskOver, type TaskDetail, type TaskListing } from "@samovar/protocol";
import type { TaskControl } from "@samovar/scheduler";
import type { Principal } from "../authenticator.ts";
import { bodyEncoding } from "../request-head.ts";
import { splitTarget } from "../route.ts";
import { defineRoute, type ApiAnswer, type ApiContext, type ApiRoute } from "./api-route.ts";
import { putTasks } from "./put-tasks.ts";
import { INVOKE, duration, flag, json, limit, name, taskId } from "./route-parts.ts";
import { logLine } from "./schemas.ts";
import { ofApp, taskFilterBody, taskFilterQuery, toSelection } from "./task-filter.ts";
import { toTaskInfo } from "./task-info.ts";
import { sendTaskLogs } from "./task-logs.ts";
import { sendResult } from "./task-result.ts";
import { putTasksBody, putTasksResponse, putTasksValue, taskChange, taskDetail, taskInfo, taskPage } from "./task-schemas.ts";
import { awaitTask, findTask, followTask, followTasks } from "./task-watch.ts";

const wait = duration("wait")
  .pipe(
    z
      .number()
      .min(0, "must not be below 0")
      .max(MAX_TASK_WAIT_MS, `must be at most ${MAX_TASK_WAIT_MS / 1_000} s`),
  )
  .optional()
  .describe("Answer when it is over, or after so long, such as 30s");

const DEFAULT_LIMIT = 100;
const DEFAULT_TAIL = 1_000;
const changed = z.strictObject({ task: taskInfo, changed: z.boolean().describe("False: there was nothing to do") });

/** What can be done to one task, and to all that match. */
const CHANGES = [
  { verb: "cancel", one: "Cancel a task that isn't over", all: "Cancel all tasks that match and aren't over" },
  {
    verb: "retry",
    one: "Queue a task once more that failed, timed out, expired or was cancelled",
    all: "Queue all tasks once more that match, and failed, timed out, expired or were cancelled",
  },
] as const;

/** Tasks: a token of one app knows only those of that app, and another's are as none. */
export const TASK_ROUTES: readonly ApiRoute[] = [
  defineRoute({
    method: "post",
    path: "/functions/{idOrName}/tasks",
    operationId: "putTasks",
    hot: true,
    summary: "Queue inputs for a function; answers when all of them are on disk, and queues none where one is refused",
    scopes: INVOKE,
    ofOneApp: true,
    params: z.strictObject({ idOrName: name }),
    query: z.strictObject({
      method: name.optional().describe("Of a class"),
      with: z.string().optional().describe("Constructor arguments of a class, a JSON array"),
    }),
    body: putTasksBody,
    valueBody: putTasksValue,
    maxBodyBytes: "call",
    answer: { status: 202, description: "What became of each, in order", schema: putTasksResponse },
    async handle(context, { principal, params, query, body, req }) {
      const target = { idOrName: params.idOrName, method: query.method, query: splitTarget(req.url!).query };
      return { status: 202, json: await putTasks(context, principal, target, body.tasks, bodyEncoding(req) === "value") };
    },
  }),
  defineRoute({
    method: "get",
    path: "/tasks",
    operationId: "listTasks",
    summary: "Tasks, newest first",
    scopes: INVOKE,
    ofOneApp: true,
    query: z.strictObject({
      ...taskFilterQuery,
      limit: limit.optional().describe("At most so many, up to 1000. Default: 100"),
      cursor: z.string().min(1).max(200).optional().describe("Of the page before"),
    }),
    answer: { status: 200, description: "One page", schema: taskPage },
    async handle({ control, clock }, { principal, query }) {
      const { limit: most = DEFAULT_LIMIT, cursor = null, ...fields } = query;
      return json(await control.tasks.list(toSelection(principal, fields, clock.now()), { limit: most, cursor }));
    },
  }),
  defineRoute({
    method: "get",
    path: "/tasks/events",
    operationId: "followTasks",
    summary: "Changes of tasks from now on, without end, as server-sent events or NDJSON",
    scopes: INVOKE,
    ofOneApp: true,
    query: z.strictObject({ function: name.optional(), app: name.optional() }),
    answer: { status: 200, description: "Each change. A reader that is 4 MiB behind is cut", schema: taskChange, stream: true, types: [CONTENT_TYPES.sse] },
    handle: (context, { principal, query, req, res }) =>
      followTasks(context, { ...(query.function === undefined ? {} : { function: query.function }), ...ofApp(principal, query.app) }, req, res),
  }),
  defineRoute({
    method: "get",
    path: "/tasks/{id}",
    operationId: "getTask",
    summary: "One task; with accept: text/event-stream its states, until it is over",
    scopes: INVOKE,
    ofOneApp: true,
    params: taskId,
    query: z.strictObject({ wait }),
    answer: {
      status: 200,
      description: "The task; or, as server-sent events, `status` with a TaskChange, first of what it is, and `end` with its id and status when it is over",
      schema: taskDetail,
      types: [CONTENT_TYPES.sse],
    },
    async handle(context, { principal, params, query, req, res }) {
      if (req.headers.accept?.includes(CONTENT_TYPES.sse)) return followTask(context, principal, params.id, req, res);
      return json(await awaitTask(context, principal, params.id, query.wait ?? 0, res));
    },
  }),
  defineRoute({
    method: "get",
    path: "/tasks/{id}/result",
    operationId: "getTaskResult",
    hot: true,
    summary: "A task's result as its call would have been answered, or its failure",
    scopes: INVOKE,
    ofOneApp: true,
    params: taskId,
    query: z.strictObject({ wait }),
    answer: { status: 200, description: "The result, with its own status and headers; a value as JSON unless accept asks for values", types: ["*/*"] },
    otherAnswers: { 202: { description: "It isn't over", schema: taskInfo }, 204: { description: "It returned nothing" } },
    handle: (context, { principal, params, query, req, res }) => sendResult(context, principal, params.id, query.wait ?? 0, req, res),
  }),
  defineRoute({
    method: "get",
    path: "/tasks/{id}/logs",
    operationId: "getTaskLogs",
    summary: "What a task's attempts logged",
    scopes: INVOKE,
    ofOneApp: true,
    params: taskId,
    query: z.strictObject({
      follow: flag.optional().describe("Go on with what comes, until it is over"),
      tail: z
        .string()
        .regex(/^\d{1,6}$/, "must be a number of lines up to 999999")
        .transform(Number)
        .optional()
        .describe("How many of the last lines of each container. Default: 1000"),
    }),
    answer: { status: 200, description: "Lines, oldest first", schema: logLine, stream: true },
    handle: (context, { principal, params, query, res }) =>
      sendTaskLogs(context, principal, params.id, { tail: query.tail ?? DEFAULT_TAIL, follow: query.follow ?? false }, res),
  }),
  ...CHANGES.flatMap(({ verb, one, all }) => [
    defineRoute({
      method: "post",
      path: `/tasks/{id}/${verb}`,
      operationId: `${verb}Task`,
      summary: one,
      scopes: INVOKE,
      ofOneApp: true,
      params: taskId,
      answer: { status: 200, description: "The task as it is now", schema: changed },
      handle: (context, { principal, params }) => changeOne(context, principal, params.id, verb),
    }),
    defineRoute({
      method: "post",
      path: `/tasks/${verb}`,
      operationId: `${verb}Tasks`,
      summary: all,
      scopes: INVOKE,
      ofOneApp: true,
      body: taskFilterBody,
      answer: {
        status: 200,
        description: "How many changed",
        schema: z.strictObject({
          changed: z.int().nonnegative(),
          unserved: z
            .int()
            .nonnegative()
            .exactOptional()
            .describe("Of a retry: how many were left out, up to 1000, because nobody serves their function any more"),
        }),
      },
      handle: ({ control, clock }, { principal, body }) => changeAll(control.tasks, verb, toSelection(principal, body, clock.now())),
    }),
  ]),
];

async function changeAll(tasks: TaskControl, verb: "cancel" | "retry", selection: TaskListing): Promise<ApiAnswer> {
  if (verb === "cancel") return json({ changed: (await tasks.cancel(selection)).length });
  const { ids, unserved } = await tasks.retry(selection);
  return json({ changed: ids.length, ...(unserved.length > 0 && { unserved: unserved.length }) });
}

async function changeOne(context: ApiContext, principal: Principal, id: string, verb: "cancel" | "retry"): Promise<ApiAnswer> {
  const before = await findTask(context, principal, id);
  const ids =
    verb === "retry" ? await retryOne(context.control.tasks, before) : isTaskOver(before.status) ? [] : await context.control.tasks.cancel({ ids: [id] });
  return json({ task: toTaskInfo(ids.length > 0 ? await findTask(context, principal, id) : before), changed: ids.length > 0 });
}

async function retryOne(tasks: TaskControl, { id, delivery, function: name }: TaskDetail): Promise<readonly string[]> {
  if (delivery === "call")
    throw new SamovarError("conflict", `${id} was a call of ${name}, whose input is not kept: it can't be queued again, only called once more`);
  const { ids, unserved } = await tasks.retry({ ids: [id] });
  if (unserved.length > 0) throw new SamovarError("conflict", `${id} is not queued again: ${unserved[0]!.reason}`);
  return ids;
}
