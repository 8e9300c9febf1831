import { DEFINITION, type CallableDefinition, type FunctionDefinition, type HookDefinition, type HookDefinitions } from "@samovar/protocol";

/** Definitions as the SDK makes them, by hand. */
export function callable(run: (input: never, ctx: never) => unknown, overrides: Partial<CallableDefinition> = {}): CallableDefinition {
  return { run, streaming: false, batch: null, validateInput: null, validateOutput: null, retryOn: null, ...overrides };
}

export function hook(name: string, run: (ctx: never) => unknown): HookDefinition {
  return { name, run: run as HookDefinition["run"] };
}

export function hooks(overrides: Partial<HookDefinitions> = {}): HookDefinitions {
  return { onBuild: [], onDeploy: [], onStart: [], onStop: [], onStartIsList: false, onDeployIsList: false, ...overrides };
}

export function moduleOf(handler: CallableDefinition, hookOverrides: Partial<HookDefinitions> = {}): Record<string, unknown> {
  const definition: FunctionDefinition = { kind: "function", name: "f", hooks: hooks(hookOverrides), handler, cls: null };
  return { f: { [DEFINITION]: definition } };
}
