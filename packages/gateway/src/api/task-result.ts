import type { IncomingMessage, ServerResponse } from "node:http";
import { CONTENT_TYPES, isTaskOver, type AnswerHead, type TaskDetail } from "@samovar/protocol";
import type { InputSink } from "@samovar/scheduler";
import { hasScope, type Principal } from "../authenticator.ts";
import { asJson } from "../json-answer.ts";
import { toSamovarError } from "../problem.ts";
import { wantedAnswer } from "../request-head.ts";
import { ResponseSink } from "../response-sink.ts";
import type { ApiAnswer, ApiContext } from "./api-route.ts";
import { findTask } from "./task-watch.ts";
import { toTaskInfo } from "./task-info.ts";

/** Answers as a call of the task's function would have been; 202 with what it is at, when it isn't over within `waitMs`. */
export async function sendResult(
  context: ApiContext,
  principal: Principal,
  id: string,
  waitMs: number,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<ApiAnswer> {
  // Whose it is must be known first; who may see all needs not to ask.
  if (principal.app !== null) await findTask(context, principal, id);
  if (res.destroyed) return "streaming";
  const wanted = wantedAnswer(req);
  const held = { end: (): void => void tellPending() };
  const sink = new ResponseSink(context.answers, {
    req,
    res,
    entry: null,
    version: null,
    taskId: id,
    stream: wanted.stream,
    stacks: hasScope(principal, "admin"),
    arrivedMs: context.clock.monotonic(),
    ownHost: false,
    over: () => context.streams.delete(held),
  });
  const fail = (error: unknown): void => {
    const problem = toSamovarError(error);
    if (problem.code === "internal") context.logger.error({ error }, "A task's result can't be told");
    sink.fail(problem);
  };
  const read = (): Promise<TaskDetail> => findTask(context, principal, id);
  // When it is over, its answer is on its way.
  const tellPending = (): Promise<void> =>
    read().then((task) => {
      if (!isTaskOver(task.status))
        sink.accept(["content-type", CONTENT_TYPES.json, "cache-control", "no-store", "retry-after", 0], JSON.stringify(toTaskInfo(task)));
    }, fail);
  context.streams.add(held);
  if (waitMs > 0 && !context.isDraining()) sink.limitWait(waitMs, held.end);
  const plain = wanted.reply === "value" ? sink : asJson(sink, context.control.tasks, id, fail);
  const wait = context.control.tasks.answer(id, withoutCookies(plain));
  sink.attach({ cancel: () => wait.leave(), resume() {} });
  if (waitMs === 0 || context.isDraining()) void tellPending();
  return "streaming";
}

/** Cookies were for whoever called the function, at its own path; here they would be the API's. */
function withoutCookies(sink: InputSink): InputSink {
  const strip = (head: AnswerHead): AnswerHead => ({ ...head, headers: head.headers.filter(([name]) => name.toLowerCase() !== "set-cookie") });
  return {
    started: (info) => sink.started(info),
    result: (head, body) => sink.result(strip(head), body),
    head: (head) => sink.head(strip(head)),
    data: (chunk) => sink.data(chunk),
    end: () => sink.end(),
    error: (failure) => sink.error(failure),
  };
}
