import { encodeJson, SamovarError, type FunctionDefinition } from "@samovar/protocol";
import { createCallHandle } from "./call-handle.ts";
import { requireName } from "./callable-handle.ts";
import { LocalCalls } from "./local-calls.ts";
import { createScalingHandle } from "./scaling-handle.ts";

export interface ClassHandleParts {
  readonly Class: Function;
  readonly name: () => string | null;
  /** Methods that callers may not call: asking for one says why. */
  readonly otherMethods: readonly string[];
}

/** The handle of a class: its methods, how it scales, and `with` for other constructor arguments. */
export function createClassHandle(definition: FunctionDefinition, parts: ClassHandleParts): object {
  const withParameters = (...args: unknown[]): object => createMethods(definition, parts, toParameters(args, parts));
  const handle = createMethods(definition, parts, []);
  return Object.defineProperty(handle, "with", { value: withParameters, enumerable: true });
}

function createMethods(definition: FunctionDefinition, { Class, name, otherMethods }: ClassHandleParts, parameters: readonly unknown[]): object {
  const label = (): string => name() ?? `cls(${Class.name})`;
  const local = new LocalCalls(definition, label, parameters);
  const handle: Record<string, object> = {
    ...createScalingHandle({ label, target: () => ({ kind: "cls", name: requireName(name(), label()) }) }),
  };
  for (const [method, callable] of definition.cls!.methods) {
    handle[method] = createCallHandle({
      label: () => `${label()}.${method}`,
      target: () => ({ kind: "cls", name: requireName(name(), label()), method, ...(parameters.length > 0 ? { parameters } : {}) }),
      callable,
      local,
    });
  }
  for (const method of otherMethods) {
    if (method === "with" || Object.hasOwn(handle, method)) continue;
    // Not enumerable: looking at the handle must not throw, asking it for the method must.
    Object.defineProperty(handle, method, {
      get(): never {
        throw new SamovarError("invalid_definition", describeOther(definition, Class, method));
      },
    });
  }
  return handle;
}

function describeOther({ hooks }: FunctionDefinition, Class: Function, method: string): string {
  for (const kind of ["onStart", "onStop", "onBuild"] as const) {
    if (hooks[kind].some((hook) => hook.name === method))
      return `${Class.name}.${method} is a hook (${kind}): Samovar calls it, callers can't. Make it protected`;
  }
  return `${Class.name}.${method} isn't marked: add @method() or make it protected`;
}

/** Constructor arguments are JSON, because they are part of a URL and of the pool's key. */
function toParameters(args: readonly unknown[], { Class }: ClassHandleParts): readonly unknown[] {
  let length = args.length;
  while (length > 0 && args[length - 1] === undefined) length--;
  const parameters = args.slice(0, length);
  const hole = parameters.indexOf(undefined);
  if (hole >= 0)
    throw new SamovarError(
      "unserializable_input",
      `${Class.name}.with(…): parameter ${hole} is undefined, and one after it is not. Constructor parameters are JSON: pass null, or put optional ones last`,
    );
  try {
    encodeJson(parameters);
  } catch (error) {
    if (!(error instanceof SamovarError)) throw error;
    throw new SamovarError("unserializable_input", `${Class.name}.with(…): constructor parameters are JSON. ${error.message.replace(/^.*?: /, "")}`, {
      cause: error,
    });
  }
  return parameters;
}
