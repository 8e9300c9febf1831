import {
  decodeValue,
  parseScalingPatch,
  SamovarError,
  type CallHead,
  type FunctionId,
  type FunctionInfo,
  type IdSource,
  type ScalingPatch,
} from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import type { CallControl, CallReply, Container, TaskControl } from "@samovar/scheduler";
import type { FunctionRegistry } from "./apps/function-registry.ts";
import { NO_CONTROL, answerWith, refuse, toSink } from "./container-reply.ts";
import { answerQuestion, readPuts } from "./tasks/container-tasks.ts";

export interface ContainerCallsOptions {
  readonly registry: FunctionRegistry;
  readonly ids: IdSource;
  readonly clock: Clock;
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
    if (head.kind === "task") return answerQuestion(options.tasks(), container.plan.load.app, body, reply, options.clock);
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
    // A schedule's input is its tick, which nobody but the server says.
    const input = body.length > 0 && entry.manifest.kind !== "schedule" ? body : null;
    const ticket = entry.submit(
      head.parameters ?? [],
      {
        taskId: ids("task"),
        method: head.method ?? null,
        encoding: input ? "value" : "none",
        reply: "value",
        stream: "values",
        request: null,
        body: input,
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
