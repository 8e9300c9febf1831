import { SamovarError, fromSerializedError, type AnswerHead, type SerializedError, type TaskStatus } from "@samovar/protocol";
import { parseResultText, type InputFailure, type InputSink, type StartedInfo, type TaskEvent } from "@samovar/scheduler";
import type { TaskRecord } from "@samovar/storage";

/** How a task ended, as its callers are answered. */
export type TaskOutcome =
  | { readonly kind: "result"; readonly head: AnswerHead; readonly body: Buffer }
  | { readonly kind: "failure"; readonly failure: InputFailure };

/** Of a task in the store; null while it isn't over. */
export function outcomeOf(record: TaskRecord): TaskOutcome | null {
  const last = record.attempts.at(-1);
  const at = { containerId: last?.containerId || null, attempt: last?.number ?? 0 };
  if (record.status === "COMPLETE") {
    const { result, lostResult } = record;
    if (lostResult !== undefined)
      return {
        kind: "failure",
        failure: { error: new SamovarError("storage_failed", `The result of task ${record.id} is lost: ${lostResult}`), thrown: null, ...at },
      };
    if (!result) return { kind: "failure", failure: { error: notKept(record), thrown: null, ...at } };
    const body = Buffer.from(result.bytes.buffer, result.bytes.byteOffset, result.bytes.byteLength);
    return { kind: "result", head: parseResultText(result.encoding), body };
  }
  const failure = failureAt(record.status, record.functionName, record.error);
  return failure && { kind: "failure", failure: { ...failure, ...at } };
}

/** Which attempt ended it, as a call's start is told; null where none began. How long it took is not known any more. */
export function startOf(record: TaskRecord): StartedInfo | null {
  const last = record.attempts.at(-1);
  if (!last || last.containerId === "") return null;
  return { containerId: last.containerId, version: last.version, coldStart: false, queuedMs: Math.max(0, last.startedAtMs - record.createdAtMs), phases: [] };
}

/** Of a change that was pushed. */
export function outcomeOfEvent(event: TaskEvent): TaskOutcome | null {
  if (event.status === "COMPLETE" && event.answer) return { kind: "result", ...event.answer };
  const failure = failureAt(event.status, event.function, event.error ?? null);
  return failure && { kind: "failure", failure: { ...failure, containerId: null, attempt: event.attempt } };
}

export function answerSink(sink: InputSink, outcome: TaskOutcome): void {
  if (outcome.kind === "failure") return sink.error(outcome.failure);
  const { head, body } = outcome;
  if (!head.items) return sink.result(head, body);
  sink.head(head);
  sink.data(body);
  sink.end();
}

function failureAt(status: TaskStatus, name: string, error: SerializedError | null): Pick<InputFailure, "error" | "thrown"> | null {
  switch (status) {
    case "CANCELLED":
      return { error: new SamovarError("cancelled", `The task of ${name} was cancelled`), thrown: null };
    case "EXPIRED":
      return { error: new SamovarError("expired", `The task of ${name} expired: its time to live passed before an attempt began`), thrown: null };
    case "ERROR":
    case "TIMEOUT":
      return toFailure(error ?? { name: "Error", message: "It failed" });
    default:
      return null;
  }
}

/** What Samovar raised has its code; what the handler threw is its own, whatever it looks like. */
function toFailure(error: SerializedError): Pick<InputFailure, "error" | "thrown"> {
  const raised = fromSerializedError(error);
  if (error.name === "SamovarError" && raised instanceof SamovarError) return { error: raised, thrown: null };
  return { error: new SamovarError("handler_error", `${error.name}: ${error.message}`), thrown: error };
}

const notKept = ({ id, functionName, durable }: TaskRecord): SamovarError =>
  new SamovarError(
    "not_found",
    durable
      ? `The result of task ${id} is no longer kept`
      : `${id} was a call of ${functionName}, which was given its result: of calls only their records are kept. Queue what is to be asked for later`,
  );
