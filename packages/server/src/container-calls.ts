import {
  CONTENT_TYPES,
  MAX_PUT_TASKS,
  decodeValue,
  encodeValue,
  parseScalingPatch,
  SamovarError,
  toSerializedError,
  type CallHead,
  type FunctionId,
  type FunctionInfo,
  type IdSource,
  type PutTask,
  type PutTasksRequest,
  type ScalingPatch,
  type SerializedError,
  type TaskInfo,
  type TaskQuestion,
} from "@samovar/protocol";
import type { CallControl, CallReply, Container, InputSink, NewInput, TaskControl } from "@samovar/scheduler";
import type { FunctionRegistry } from "./apps/function-registry.ts";
import { unknownTask } from "./tasks/tasks.ts";

export interface ContainerCallsOptions {
  readonly registry: FunctionRegistry;
  readonly ids: IdSource;
  readonly tasks: () => TaskControl;
  readonly scale: (functionId: FunctionId, patch: ScalingPatch) => Promise<FunctionInfo>;
}

/**
 * Calls that user code in a container makes to other functions of its app, over its own connection: they need no
 * network and no token, and reach the functions of the same deploy only. `put` queues for whatever version then has the
 * name; `task` asks about tasks of the same app; `scale` changes a function, as the control API does.
 */
export function createContainerCalls(options: ContainerCallsOptions): (container: Container, head: CallHead, body: Buffer, reply: CallReply) => CallControl {
  const { registry, ids, scale } = options;
  return (container, head, body, reply) => {
    if (head.kind === "task") return answerQuestion(options.tasks(), container.plan.load.app, body, reply);
    const functionId = head.functionId ?? container.plan.load.functionIds[head.functionName];
    const entry = functionId !== undefined && Object.values(container.plan.load.functionIds).includes(functionId) ? registry.byId(functionId) : undefined;
    if (!entry)
      return refuse(
        reply,
        new SamovarError("not_found", `${head.functionName} is not a function of this deploy (it may have been replaced by a newer version)`),
      );
    if (head.kind === "scale") {
      answerWith(reply, () => scale(entry.functionId, readPatch(body)));
      return NO_CONTROL;
    }
    if (head.kind !== undefined && head.kind !== "call" && head.kind !== "put")
      return refuse(reply, new SamovarError("protocol_error", `This server knows no call of the kind ${JSON.stringify(head.kind)}`));
    if (entry.manifest.kind === "cls" && (head.method === undefined || !Object.hasOwn(entry.manifest.methods, head.method))) {
      return refuse(reply, new SamovarError("not_found", `${head.functionName} has no method ${head.method ?? ""}`));
    }
    if (head.kind === "put") {
      const active = registry.holder(entry.name);
      // Of a version that is no longer active: its work goes to the one that is.
      const target = active && active.app === entry.app && entry.spec.session === null ? active : entry;
      answerWith(reply, async () => ({ tasks: await options.tasks().put(target, head.parameters ?? [], readPuts(body, head.method ?? null)) }));
      return NO_CONTROL;
    }
    const ticket = entry.submit(
      head.parameters ?? [],
      {
        taskId: ids("task"),
        method: head.method ?? null,
        encoding: body.length > 0 ? "value" : "none",
        reply: "value",
        stream: "values",
        request: null,
        body: body.length > 0 ? body : null,
        bodyStream: null,
        retries: true,
        headless: entry.manifest.options.headless,
      },
      toSink(reply),
    );
    return { cancel: () => ticket.cancel("disconnected"), resume: () => ticket.resume() };
  };
}

function readPatch(body: Buffer): ScalingPatch {
  return parseScalingPatch(body.length > 0 ? decodeValue(body) : undefined);
}

function readPuts(body: Buffer, method: string | null): NewInput[] {
  const { tasks } = decodeValue(body) as Partial<PutTasksRequest>;
  if (!Array.isArray(tasks) || tasks.length > MAX_PUT_TASKS)
    throw new SamovarError("invalid_request", `One request queues a list of at most ${MAX_PUT_TASKS} tasks`);
  return (tasks as PutTask[]).map((task) => ({
    method,
    encoding: task.input === undefined ? "none" : "value",
    reply: "value",
    stream: "values",
    request: null,
    body: task.input === undefined ? null : encodeValue(task.input, "unserializable_input"),
    delayMs: task.delayMs ?? 0,
    priorityMs: task.priorityMs ?? 0,
    ttlMs: task.ttlMs ?? null,
    idempotencyKey: task.idempotencyKey ?? null,
    concurrencyKey: task.concurrencyKey ?? null,
  }));
}

/** Tasks of other apps are as good as none. */
function answerQuestion(tasks: TaskControl, app: string, body: Buffer, reply: CallReply): CallControl {
  const { ask, id, waitMs } = decodeValue(body) as TaskQuestion;
  const own = async (): Promise<TaskInfo> => {
    const info = await tasks.get(id);
    if (info?.app !== app) throw unknownTask(id);
    return info;
  };
  switch (ask) {
    case "info":
      answerWith(reply, own);
      return NO_CONTROL;
    case "cancel":
      answerWith(reply, async () => (await own()) && (await tasks.cancel({ ids: [id] })).length > 0);
      return NO_CONTROL;
    case "result":
      return answerResult(tasks, own, id, waitMs, reply);
    default:
      return refuse(reply, new SamovarError("protocol_error", `This server knows no question ${JSON.stringify(ask)} about a task`));
  }
}

/** When the task is over, or the time; leaving changes nothing for the task. */
function answerResult(tasks: TaskControl, own: () => Promise<TaskInfo>, id: string, waitMs: number | undefined, reply: CallReply): CallControl {
  let leave = (): void => {};
  let hasLeft = false;
  const timer =
    waitMs === undefined
      ? undefined
      : setTimeout(() => {
          hasLeft = true;
          leave();
          reply.error({ error: describe(new SamovarError("timeout", `Task ${id} is not over after ${waitMs / 1_000} s; it goes on`)), retryable: false });
        }, waitMs);
  const stop = (): void => {
    clearTimeout(timer);
    leave();
  };
  own().then(
    () => {
      if (hasLeft) return;
      const sink = toSink(reply);
      const wait = tasks.answer(id, {
        ...sink,
        result(head, body) {
          clearTimeout(timer);
          sink.result(head, body);
        },
        head(head) {
          clearTimeout(timer);
          sink.head(head);
        },
        error(failure) {
          clearTimeout(timer);
          sink.error(failure);
        },
      });
      leave = () => wait.leave();
    },
    (error: unknown) => {
      clearTimeout(timer);
      if (!hasLeft) reply.error({ error: describe(error), retryable: false });
    },
  );
  return {
    cancel() {
      hasLeft = true;
      stop();
    },
    resume() {},
  };
}

const NO_CONTROL: CallControl = { cancel() {}, resume() {} };

function refuse(reply: CallReply, error: SamovarError): CallControl {
  reply.error({ error: describe(error), retryable: false });
  return NO_CONTROL;
}

/** Once it was taken there is no way back: leaving the call changes nothing. */
function answerWith(reply: CallReply, answer: () => Promise<unknown>): void {
  Promise.resolve()
    .then(answer)
    .then(
      (value) => reply.result({ status: 200, headers: [["content-type", CONTENT_TYPES.value]] }, encodeValue(value)),
      (error: unknown) => reply.error({ error: describe(error), retryable: false }),
    );
}

/** What the server says, without where in the server: the caller's own stack is of more use to it. */
function describe(error: unknown): SerializedError {
  const { stack: _stack, cause: _cause, ...told } = toSerializedError(error);
  return told;
}

function toSink(reply: CallReply): InputSink {
  return {
    started() {},
    result: (head, body) => reply.result(head, body),
    head: (head) => reply.head(head),
    data: (chunk) => reply.data(chunk),
    end: () => reply.end(),
    error: (failure) => reply.error({ error: failure.thrown ?? describe(failure.error), retryable: false }),
  };
}
