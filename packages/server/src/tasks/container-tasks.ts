import { MAX_PUT_TASKS, SamovarError, decodeValue, toValueBody, type PutTask, type PutTasksRequest, type TaskInfo, type TaskQuestion } from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import type { CallControl, CallReply, NewInput, TaskControl, TaskWait } from "@samovar/scheduler";
import { NO_CONTROL, answerWith, describe, refuse, toSink } from "../container-reply.ts";
import { unknownTask } from "./tasks.ts";

/** What `put` carries. Throws `invalid_request`. */
export function readPuts(body: Buffer, method: string | null): NewInput[] {
  const { tasks } = decodeValue(body) as Partial<PutTasksRequest>;
  if (!Array.isArray(tasks) || tasks.length > MAX_PUT_TASKS)
    throw new SamovarError("invalid_request", `One request queues a list of at most ${MAX_PUT_TASKS} tasks`);
  return (tasks as PutTask[]).map((task) => toNewInput(task, toValueBody(task), method));
}

function toNewInput(task: PutTask, body: Buffer | null, method: string | null): NewInput {
  return {
    method,
    encoding: body ? "value" : "none",
    reply: "value",
    stream: "values",
    request: null,
    body,
    delayMs: task.delayMs ?? 0,
    priorityMs: task.priorityMs ?? 0,
    ttlMs: task.ttlMs ?? null,
    idempotencyKey: task.idempotencyKey ?? null,
    concurrencyKey: task.concurrencyKey ?? null,
  };
}

/** Tasks of other apps are as good as none. */
export function answerQuestion(tasks: TaskControl, app: string, body: Buffer, reply: CallReply, clock: Clock): CallControl {
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
      return answerResult({ tasks, own, id, waitMs, clock }, reply);
    default:
      return refuse(reply, new SamovarError("protocol_error", `This server knows no question ${JSON.stringify(ask)} about a task`));
  }
}

interface ResultQuestion {
  readonly tasks: TaskControl;
  /** Rejects for a task of another app. */
  readonly own: () => Promise<TaskInfo>;
  readonly id: string;
  readonly waitMs: number | undefined;
  readonly clock: Clock;
}

/** When the task is over, or the time; leaving changes nothing for the task. */
function answerResult({ tasks, own, id, waitMs, clock }: ResultQuestion, reply: CallReply): CallControl {
  let wait: TaskWait | null = null;
  let isOver = false;
  const leave = (): void => {
    isOver = true;
    cancelTimer();
    wait?.leave();
  };
  /** The first one speaks. */
  const once = (speak: () => void): void => {
    if (isOver) return;
    leave();
    speak();
  };
  const fail = (error: unknown): void => once(() => reply.error({ error: describe(error), retryable: false }));
  const late = (): void => fail(new SamovarError("timeout", `Task ${id} is not over after ${waitMs! / 1_000} s; it goes on`));
  const cancelTimer = waitMs === undefined ? () => {} : clock.after(waitMs, late);
  own().then(() => {
    if (isOver) return;
    const sink = toSink(reply);
    wait = tasks.answer(id, {
      ...sink,
      result: (head, body) => once(() => sink.result(head, body)),
      head(head) {
        cancelTimer();
        sink.head(head);
      },
      error: (failure) => once(() => sink.error(failure)),
    });
    if (isOver) wait.leave();
  }, fail);
  return { cancel: leave, resume() {} };
}
