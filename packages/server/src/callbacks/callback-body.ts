import { isTaskOver, type CallbackBody, type SerializedError, type TaskDetail } from "@samovar/protocol";

/** Receivers take some 256 KiB, as a rule; what is larger they ask for. */
export const MAX_CALLBACK_RESULT_BYTES = 256 * 1024;

const MAX_MESSAGE_CHARS = 4_096;
const MAX_CAUSES = 3;
/** The last ones: a task can have thousands that were given back. */
const MAX_ATTEMPTS = 32;

const TYPES: Readonly<Partial<Record<TaskDetail["status"], CallbackBody["type"]>>> = {
  COMPLETE: "task.completed",
  ERROR: "task.failed",
  TIMEOUT: "task.timed-out",
  CANCELLED: "task.cancelled",
  EXPIRED: "task.expired",
};

/** What is posted about a task; undefined for one that is not over, because it was queued once more. */
export function toCallbackBody(task: TaskDetail): CallbackBody | undefined {
  const type = TYPES[task.status];
  if (!type || !isTaskOver(task.status)) return undefined;
  const { id, app, version, status, resultType } = task;
  const bytes = task.result === undefined ? 0 : Buffer.byteLength(JSON.stringify(task.result) ?? "");
  const kept = task.resultBytes ?? 0;
  const isLarge = Math.max(bytes, kept) > MAX_CALLBACK_RESULT_BYTES;
  return {
    type,
    timestamp: new Date(task.endedAtMs ?? task.createdAtMs).toISOString(),
    data: {
      id,
      function: task.function,
      app,
      version,
      status,
      attempts: task.attempts.slice(-MAX_ATTEMPTS).map((attempt) => ({ ...attempt, error: attempt.error && toToldError(attempt.error) })),
      ...(bytes > 0 && !isLarge ? { result: task.result } : {}),
      resultType,
      ...(isLarge ? { note: `The result has ${Math.max(bytes, kept)} bytes and is left out: GET /api/v1/tasks/${id}/result has it` } : {}),
      error: task.error && toToldError(task.error),
    },
  };
}

/** Without stacks and fields, which are for the author: the receiver may be somebody else. */
function toToldError(error: SerializedError, depth = 0): SerializedError {
  return {
    name: error.name,
    message: error.message.slice(0, MAX_MESSAGE_CHARS).toWellFormed(),
    ...(error.code === undefined ? {} : { code: error.code }),
    ...(error.cause && depth < MAX_CAUSES ? { cause: toToldError(error.cause, depth + 1) } : {}),
  };
}
