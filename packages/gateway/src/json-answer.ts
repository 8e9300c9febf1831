import { CONTENT_TYPES, type AnswerHead } from "@samovar/protocol";
import type { InputSink, TaskControl } from "@samovar/scheduler";
import type { ResponseSink } from "./response-sink.ts";

const JSON_HEAD: AnswerHead = { status: 200, headers: [["content-type", CONTENT_TYPES.json]] };
const NO_CONTENT: AnswerHead = { status: 204, headers: [] };

/**
 * A task's answer for who doesn't ask for values: what was made for a handle, which may have been the first with an idempotency
 * key, is shown as JSON. What is too large to be shown so stays a value, and so does a stream of them.
 */
export function asJson(sink: ResponseSink, tasks: Pick<TaskControl, "get">, id: string, fail: (thrown: unknown) => void): InputSink {
  return {
    started: (info) => sink.started(info),
    result(head, body) {
      if (head.headers.find(([name]) => name.toLowerCase() === "content-type")?.[1] !== CONTENT_TYPES.value) return sink.result(head, body);
      tasks.get(id).then((task) => {
        if (task && "result" in task) sink.result(JSON_HEAD, Buffer.from(JSON.stringify(task.result)));
        else if (body.length > LONGEST_UNDEFINED) sink.result(head, body);
        else sink.result(NO_CONTENT, Buffer.alloc(0));
      }, fail);
    },
    head: (head) => sink.head(head),
    data: (chunk) => sink.data(chunk),
    end: () => sink.end(),
    error: (failure) => sink.error(failure),
  };
}

/** Of `undefined` as a value, in bytes: JSON has no view of it either. */
const LONGEST_UNDEFINED = 8;
