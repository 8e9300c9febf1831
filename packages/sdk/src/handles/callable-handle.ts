import { SamovarError, type FunctionDefinition } from "@samovar/protocol";
import { CALLABLE_WORDS, type CallableKind } from "../definitions/callable-kinds.ts";
import { createCallHandle, createEndpointHandle, type Callee } from "./call-handle.ts";
import { LocalCalls } from "./local-calls.ts";
import { createQueueHandle, createScheduleHandle } from "./queue-handle.ts";
import { createScalingHandle } from "./scaling-handle.ts";

const CREATE: Readonly<Record<CallableKind, (callee: Callee) => object>> = {
  endpoint: createEndpointHandle,
  function: createCallHandle,
  taskqueue: createQueueHandle,
  schedule: createScheduleHandle,
};

/** The handle that `endpoint`, `fn`, `taskQueue` and `schedule` return. */
export function createCallableHandle(kind: CallableKind, definition: FunctionDefinition, name: () => string | null): object {
  const label = (): string => name() ?? `${CALLABLE_WORDS[kind]}(…)`;
  const callee: Callee = {
    label,
    target: () => ({ kind, name: requireName(name(), label()) }),
    callable: definition.handler!,
    local: new LocalCalls(definition, label),
  };
  return Object.assign(CREATE[kind](callee), createScalingHandle(callee));
}

/** Names come with the module's exports, which are known when it has loaded. */
export function requireName(name: string | null, label: string): string {
  if (name !== null) return name;
  throw new SamovarError("invalid_definition", `${label} has no name yet: it is not exported by the app's module. Write: export const myFunction = ${label}`);
}
