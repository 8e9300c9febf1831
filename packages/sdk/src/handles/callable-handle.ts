import { SamovarError, type FunctionDefinition } from "@samovar/protocol";
import { createCallHandle, createEndpointHandle, type Callee } from "./call-handle.ts";
import { LocalCalls } from "./local-calls.ts";
import { createScalingHandle } from "./scaling-handle.ts";

/** The handle that `endpoint` and `fn` return. */
export function createCallableHandle(kind: "endpoint" | "function", definition: FunctionDefinition, name: () => string | null): object {
  const label = (): string => name() ?? (kind === "endpoint" ? "endpoint(…)" : "fn(…)");
  const callee: Callee = {
    label,
    target: () => ({ kind, name: requireName(name(), label()) }),
    callable: definition.handler!,
    local: new LocalCalls(definition, label),
  };
  const handle = kind === "endpoint" ? createEndpointHandle(callee) : createCallHandle(callee);
  return Object.assign(handle, createScalingHandle(callee));
}

/** Names come with the module's exports, which are known when it has loaded. */
export function requireName(name: string | null, label: string): string {
  if (name !== null) return name;
  throw new SamovarError("invalid_definition", `${label} has no name yet: it is not exported by the app's module. Write: export const myFunction = ${label}`);
}
