import {
  DEFINITION,
  REGISTRY,
  SamovarError,
  encodeJson,
  type CallableDefinition,
  type FunctionDefinition,
  type LoadMessage,
  type Registry,
} from "@samovar/protocol";

/** What was loaded: the definition, and what its hooks and methods are called on. */
export interface Loaded {
  readonly definition: FunctionDefinition;
  /** The instance of a class; undefined for functions, and while onDeploy runs. */
  readonly instance: object | undefined;
}

/** Finds the function in the module and, for a class, makes its instance. `deploy` runs without one. */
export function openModule(module: Readonly<Record<string, unknown>>, load: LoadMessage): Loaded {
  // Handles learn the names that calls are made by, before any hook can make one.
  (globalThis as { [REGISTRY]?: Registry })[REGISTRY]?.bind(module);
  const exported = module[load.exportName];
  if (exported === undefined) {
    throw new SamovarError("load_failed", `The module has no export ${load.exportName}. It exports ${Object.keys(module).join(", ") || "nothing"}`);
  }
  const definition = (exported as { [DEFINITION]?: FunctionDefinition })[DEFINITION];
  if (!definition)
    throw new SamovarError("load_failed", `The export ${load.exportName} is no function of Samovar. Make it one with endpoint(…), fn(…) or app.cls(…)`);
  const instance = definition.cls && load.mode !== "deploy" ? definition.cls.create(load.parameters) : undefined;
  return { definition, instance };
}

/** The handler, or the method of a class. */
export function findCallable(definition: FunctionDefinition, method: string | undefined): CallableDefinition {
  if (definition.cls) {
    const callable = method === undefined ? undefined : definition.cls.methods.get(method);
    if (callable) return callable;
    const names = [...definition.cls.methods.keys()].join(", ") || "none";
    throw new SamovarError("not_found", `${method === undefined ? "A class is called by a method" : `There is no method ${method}`}. Its methods: ${names}`);
  }
  if (definition.handler) return definition.handler;
  throw new SamovarError("not_found", "This function has no handler");
}

/** What onDeploy returned, as the JSON that is kept. Throws with the path of what JSON would change. */
export function toDeployValue(value: unknown): unknown {
  return JSON.parse(encodeJson(value)) as unknown;
}
