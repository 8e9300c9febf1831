import {
  CONTENT_TYPES,
  decodeValue,
  encodeValue,
  parseScalingPatch,
  SamovarError,
  toSerializedError,
  type CallHead,
  type FunctionId,
  type FunctionInfo,
  type IdSource,
  type ScalingPatch,
  type SerializedError,
} from "@samovar/protocol";
import type { CallControl, CallReply, Container, InputSink } from "@samovar/scheduler";
import type { FunctionRegistry } from "./apps/function-registry.ts";

/**
 * Calls that user code in a container makes to other functions of its app, over its own connection: they need no
 * network and no token, and reach the functions of the same deploy only. `scale` changes one of those, as the control API does.
 */
export function createContainerCalls(
  registry: FunctionRegistry,
  ids: IdSource,
  scale: (functionId: FunctionId, patch: ScalingPatch) => Promise<FunctionInfo>,
): (container: Container, head: CallHead, body: Buffer, reply: CallReply) => CallControl {
  return (container, head, body, reply) => {
    const functionId = head.functionId ?? container.plan.load.functionIds[head.functionName];
    const entry = functionId !== undefined && Object.values(container.plan.load.functionIds).includes(functionId) ? registry.byId(functionId) : undefined;
    const refuse = (error: SamovarError): CallControl => {
      reply.error({ error: describe(error), retryable: false });
      return { cancel() {}, resume() {} };
    };
    if (!entry)
      return refuse(new SamovarError("not_found", `${head.functionName} is not a function of this deploy (it may have been replaced by a newer version)`));
    if (head.kind === "scale") {
      answerScaling(() => scale(entry.functionId, readPatch(body)), reply);
      return { cancel() {}, resume() {} };
    }
    if (head.kind !== undefined && head.kind !== "call")
      return refuse(new SamovarError("protocol_error", `This server knows no call of the kind ${JSON.stringify(head.kind)}`));
    if (entry.manifest.kind === "cls" && (head.method === undefined || !Object.hasOwn(entry.manifest.methods, head.method))) {
      return refuse(new SamovarError("not_found", `${head.functionName} has no method ${head.method ?? ""}`));
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

/** Once it was taken there is no way back: leaving the call changes nothing. */
function answerScaling(scale: () => Promise<FunctionInfo>, reply: CallReply): void {
  Promise.resolve()
    .then(scale)
    .then(
      (info) => reply.result({ status: 200, headers: [["content-type", CONTENT_TYPES.value]] }, encodeValue(info)),
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
