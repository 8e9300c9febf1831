import { CONTENT_TYPES, encodeValue, toSerializedError, type SamovarError, type SerializedError } from "@samovar/protocol";
import type { CallControl, CallReply, InputSink } from "@samovar/scheduler";

/** Of what is over, or can't be left. */
export const NO_CONTROL: CallControl = { cancel() {}, resume() {} };

export function refuse(reply: CallReply, error: SamovarError): CallControl {
  reply.error({ error: describe(error), retryable: false });
  return NO_CONTROL;
}

/** Once it was taken there is no way back: leaving the call changes nothing. */
export function answerWith(reply: CallReply, answer: () => Promise<unknown>): void {
  Promise.resolve()
    .then(answer)
    .then(
      (value) => reply.result({ status: 200, headers: [["content-type", CONTENT_TYPES.value]] }, encodeValue(value)),
      (error: unknown) => reply.error({ error: describe(error), retryable: false }),
    );
}

/** What the server says, without where in the server: the caller's own stack is of more use to it. */
export function describe(error: unknown): SerializedError {
  const { stack: _stack, cause: _cause, ...told } = toSerializedError(error);
  return told;
}

/** Where the answer of an input goes that a container asked for. */
export function toSink(reply: CallReply): InputSink {
  return {
    started() {},
    result: (head, body) => reply.result(head, body),
    head: (head) => reply.head(head),
    data: (chunk) => reply.data(chunk),
    end: () => reply.end(),
    error: (failure) => reply.error({ error: failure.thrown ?? describe(failure.error), retryable: false }),
  };
}
