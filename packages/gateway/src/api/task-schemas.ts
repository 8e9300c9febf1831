import { z } from "zod";
import {
  MAX_PUT_TASKS,
  MAX_TASK_KEY_LENGTH,
  TASK_STATUSES,
  TASK_TERMS,
  parseDuration,
  show,
  type CallbackInfo,
  type PutTaskResult,
  type PutTasksRequest,
  type PutTasksResponse,
  type ScheduleInfo,
  type SerializedError,
  type TaskAttempt,
  type TaskChange,
  type TaskDetail,
  type TaskInfo,
  type TaskPage,
  type TaskStatus,
} from "@samovar/protocol";
import { name } from "./route-parts.ts";
import { count, schemaOf } from "./schema-of.ts";

const MAX_SELECTED = 1_000;

export const taskStatus = z.enum(TASK_STATUSES as [TaskStatus, ...TaskStatus[]]);

export const delivery = z.enum(["queued", "call"]);

/** Errors nest, and what they carry is their raiser's. */
const serializedError = z
  .looseObject({ name: z.string(), message: z.string() })
  .describe("What was thrown, with `cause` and `errors` of the same form where there are any") as unknown as z.ZodType<SerializedError>;

export const taskAttempt = schemaOf<TaskAttempt>()(
  z.strictObject({
    number: count,
    version: count,
    containerId: z.string(),
    startedAtMs: z.number(),
    endedAtMs: z.number().nullable(),
    outcome: z.enum(["complete", "error", "timeout", "cancelled", "given-back"]).nullable(),
    error: serializedError.nullable(),
  }),
);

const info = {
  id: z.string(),
  function: z.string(),
  app: z.string(),
  method: z.string().nullable(),
  parameters: z.array(z.unknown()),
  delivery: delivery.describe("call: somebody waits for it on a connection"),
  version: count.nullable().describe("Of its last attempt"),
  status: taskStatus,
  attempts: z.array(taskAttempt),
  createdAtMs: z.number(),
  dueAtMs: z.number().describe("Not before"),
  startedAtMs: z.number().nullable(),
  endedAtMs: z.number().nullable(),
  expiresAtMs: z.number().nullable(),
  priorityMs: z.number(),
  concurrencyKey: z.string().nullable(),
  idempotencyKey: z.string().nullable(),
  tickAtMs: z.number().nullable().describe("Of a schedule: the moment that it stands for"),
  error: serializedError.nullable(),
};

export const taskInfo = schemaOf<TaskInfo>()(z.strictObject(info));

export const callbackState = z.enum(["pending", "delivered", "failed"]);

export const callbackInfo = schemaOf<CallbackInfo>()(
  z.strictObject({
    id: z.string(),
    taskId: z.string(),
    function: z.string(),
    app: z.string(),
    url: z.string(),
    state: callbackState,
    attempts: count,
    createdAtMs: z.number(),
    dueAtMs: z.number().nullable(),
    endedAtMs: z.number().nullable(),
    lastError: z.string().nullable(),
  }),
);

export const taskDetail = schemaOf<TaskDetail>()(
  z.strictObject({
    ...info,
    result: z.unknown().exactOptional().describe("At COMPLETE, as JSON shows it best; /tasks/{id}/result has it unchanged"),
    resultType: z.string().nullable(),
    resultBytes: z.int().nullable(),
    input: z.unknown().exactOptional().describe("Absent where it is larger than 64 KiB"),
    reason: z.string().nullable().describe("What it waits for"),
    callback: callbackInfo.nullable(),
  }),
);

export const taskPage = schemaOf<TaskPage>()(z.strictObject({ tasks: z.array(taskInfo), cursor: z.string().nullable().describe("For the next page") }));

export const taskChange = schemaOf<TaskChange>()(
  z.strictObject({
    id: z.string(),
    function: z.string(),
    app: z.string(),
    status: taskStatus,
    attempt: count,
    atMs: z.number(),
    error: serializedError.exactOptional(),
  }),
);

/** As `TaskSelection` says them. */
export const taskSelectionFields = {
  ids: z.array(z.string().min(1).max(100)).min(1).max(MAX_SELECTED).exactOptional(),
  function: name.exactOptional(),
  app: name.exactOptional(),
  statuses: z.array(taskStatus).min(1).max(TASK_STATUSES.length).exactOptional(),
  createdBeforeMs: z.number().exactOptional(),
  createdAfterMs: z.number().exactOptional(),
};

const key = z.string().min(1).max(MAX_TASK_KEY_LENGTH).exactOptional();
const term = ({ minMs, maxMs }: { readonly minMs: number; readonly maxMs: number }) => z.number().min(minMs).max(maxMs).exactOptional();
const delayMs = term(TASK_TERMS.delay);
const priorityMs = term(TASK_TERMS.priority);
const ttlMs = term(TASK_TERMS.ttl);
const putTask = { input: z.unknown().exactOptional(), delayMs, priorityMs, ttlMs, idempotencyKey: key, concurrencyKey: key };

/** As a value: what people may write. */
export const putTasksRequest = schemaOf<PutTasksRequest>()(z.strictObject({ tasks: z.array(z.strictObject(putTask)).min(1).max(MAX_PUT_TASKS) }));

/** Unknown first: bytes have no schema in JSON. */
const encodedInput = z
  .unknown()
  .transform((input, context) => {
    if (input instanceof Uint8Array) return input;
    context.addIssue({ code: "custom", message: "must be bytes" });
    return z.NEVER;
  })
  .exactOptional();

/** What handles send. */
export const putTasksValue = schemaOf<PutTasksRequest>()(
  z.strictObject({
    tasks: z
      .array(z.strictObject({ ...putTask, encodedInput }))
      .min(1)
      .max(MAX_PUT_TASKS),
  }),
);

/** Read below: a union would be tried, and its issues worded, for each that isn't there. */
const duration = z
  .unknown()
  .meta({ anyOf: [{ type: "number" }, { type: "string" }] })
  .exactOptional();

/** As JSON: what people write. Durations may be seconds, or have a unit. */
export const putTasksBody = z.strictObject({
  tasks: z
    .array(
      z
        .strictObject({
          ...putTask,
          delay: duration.describe('Not before: seconds, or a string such as "5m"'),
          priority: duration.describe("A head start over others: so long as if it had waited already"),
          ttl: duration.describe("It expires when no attempt has begun by then"),
        })
        .transform((given, context) => {
          const { delay, priority, ttl, ...rest } = given;
          if (delay === undefined && priority === undefined && ttl === undefined) return rest;
          const read = (name: keyof typeof TASK_TERMS, schema: z.ZodType<number | undefined>): object => {
            const value = given[name];
            if (value === undefined) return {};
            const field = `${name}Ms` as const;
            if (given[field] !== undefined) context.addIssue({ code: "custom", path: [name], message: `is there as ${field} as well: give one` });
            const ms = toMs(name, value);
            const result = typeof ms === "number" ? schema.safeParse(ms) : null;
            if (result?.success) return { [field]: ms };
            context.addIssue({ code: "custom", path: [name], message: result ? `is ${show(value)}, but must be ${TASK_TERMS[name].words}` : String(ms) });
            return {};
          };
          return { ...rest, ...read("delay", delayMs), ...read("priority", priorityMs), ...read("ttl", ttlMs) };
        }),
    )
    .min(1)
    .max(MAX_PUT_TASKS),
});

function toMs(name: string, value: unknown): number | string {
  try {
    return parseDuration(value, name);
  } catch (error) {
    return (error as Error).message;
  }
}

export const putTaskResult = schemaOf<PutTaskResult>()(
  z.strictObject({ id: z.string(), created: z.boolean().describe("False: an earlier task with this idempotency key stands for it") }),
);
export const putTasksResponse = schemaOf<PutTasksResponse>()(z.strictObject({ tasks: z.array(putTaskResult) }));

export const scheduleInfo = schemaOf<ScheduleInfo>()(
  z.strictObject({
    name: z.string(),
    app: z.string(),
    id: z.string(),
    when: z.string(),
    timezone: z.string().nullable(),
    overlap: z.enum(["skip", "queue", "allow"]),
    catchUp: z.enum(["none", "last", "all"]),
    state: z.enum(["active", "paused", "stopped"]),
    nextRunsAtMs: z.array(z.number()),
    lastTickAtMs: z.number().nullable(),
    lastTaskId: z.string().nullable(),
  }),
);
