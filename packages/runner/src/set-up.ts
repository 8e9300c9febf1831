import type { HookDefinition, LoadMessage, LogSource, Phase } from "@samovar/protocol";
import { createHookContext, type WorkerFacts } from "./context.ts";
import type { PhaseRecorder } from "./hooks.ts";
import { toDeployValue, type Loaded } from "./load.ts";
import type { Scope } from "./scope.ts";
import type { WorkerLog } from "./worker-log.ts";

export interface SetUpOptions {
  readonly load: LoadMessage;
  readonly facts: WorkerFacts;
  readonly phases: PhaseRecorder;
  readonly log: WorkerLog;
  /** Aborted by a stop. */
  readonly signal: AbortSignal;
  readonly createScope: (source: LogSource, ctx: object | undefined) => Scope;
  readonly open: () => Promise<Loaded>;
  readonly loaded: (loaded: Loaded) => void;
}

export type SetUpResult =
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly phase: Phase; readonly hook: string | null; readonly error: unknown }
  | { readonly kind: "stopped" };

const HOOKS_OF_MODE = { serve: "onStart", build: "onBuild", deploy: "onDeploy" } as const;
const PHASE_OF_MODE = { serve: "start", build: "build", deploy: "deploy" } as const;

/** Import, constructor and the hooks of the mode, one after another; the first failure skips the rest. Never rejects. */
export async function runSetUp(options: SetUpOptions): Promise<SetUpResult> {
  const { load, phases, signal } = options;
  const phase = PHASE_OF_MODE[load.mode];
  let loaded: Loaded | null = null;
  const opened = await phases.step("load", null, options.createScope({ kind: "worker" }, undefined), async () => {
    loaded = await options.open();
  });
  if (signal.aborted) return { kind: "stopped" };
  if (!opened.ok || !loaded) return { kind: "failed", phase: "load", hook: null, error: opened.ok ? undefined : opened.error };
  const { definition, instance } = loaded as Loaded;
  options.loaded(loaded);

  const hooks: readonly HookDefinition[] = definition.hooks[HOOKS_OF_MODE[load.mode]];
  const values: unknown[] = [];
  for (const [i, hook] of hooks.entries()) {
    if (signal.aborted) {
      phases.skipped(phase, hooks.slice(i));
      return { kind: "stopped" };
    }
    const source: LogSource = { kind: "hook", hook: hook.name, phase };
    const scope = options.createScope(source, createHookContext(phase, options.facts, options.log, source, signal, null));
    const kept = load.mode === "deploy" ? { ...hook, run: keepDeployValue(hook) } : hook;
    const outcome = await phases.run({ phase, hook: kept, self: instance, scope });
    if (!outcome.ok) {
      phases.skipped(phase, hooks.slice(i + 1));
      return signal.aborted ? { kind: "stopped" } : { kind: "failed", phase, hook: hook.name, error: outcome.error };
    }
    values.push(outcome.value);
  }
  if (signal.aborted) return { kind: "stopped" };
  const isList = load.mode === "deploy" ? definition.hooks.onDeployIsList : definition.hooks.onStartIsList;
  const value = isList || values.length > 1 ? values : values[0];
  // A class keeps what its start hooks make in its fields.
  if (load.mode === "serve" && !definition.cls) options.facts.onStartValue = value;
  return { kind: "done", value: load.mode === "deploy" ? (value ?? null) : null };
}

/** What onDeploy returns is kept as JSON: a value that isn't fails the hook itself, by name. */
const keepDeployValue = (hook: HookDefinition): HookDefinition["run"] =>
  async function (this: unknown, ctx) {
    return toDeployValue(await hook.run.call(this, ctx));
  };
