import { SamovarError, toSerializedError, type HookDefinition, type LogSource, type StopReason } from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import { createHookContext, type WorkerFacts } from "./context.ts";
import { describe, type PhaseRecorder } from "./hooks.ts";
import type { Inputs } from "./inputs.ts";
import { scopes, type Scope } from "./scope.ts";
import type { WorkerLog } from "./worker-log.ts";

export interface StopOptions {
  readonly clock: Clock;
  /** For all stop hooks together. */
  readonly graceMs: number;
  readonly reason: StopReason;
  /** Settles when what ran of load and start hooks is over. */
  readonly setUp: Promise<void>;
  readonly inputs: Inputs | null;
  readonly hooks: readonly HookDefinition[];
  readonly self: object | undefined;
  readonly facts: WorkerFacts | null;
  readonly phases: PhaseRecorder;
  readonly log: WorkerLog;
  readonly exits: readonly (() => unknown)[];
  readonly createScope: (source: LogSource, ctx: object | undefined) => Scope;
}

/** What an aborted input gets to settle before stop hooks run without waiting for it. */
const SETTLE_MS = 2_000;

/**
 * The stop phase: gives up what is still held, then runs every stop hook, also after one failed. A hook that is still
 * running when the grace is over is recorded as failed, those after it as skipped. Never rejects.
 */
export async function runStopHooks(options: StopOptions): Promise<void> {
  const { clock, phases, hooks, inputs } = options;
  if (inputs && inputs.held > 0) {
    inputs.cancelAll("drained");
    await withinMs(clock, SETTLE_MS, inputs.settled());
  }
  const deadlineMs = clock.now() + options.graceMs;
  await withinMs(clock, options.graceMs, options.setUp);

  const abort = new AbortController();
  const cancelGrace = clock.after(deadlineMs - clock.now(), () => abort.abort(new DOMException("stopGracePeriod is over", "TimeoutError")));
  for (const [i, hook] of hooks.entries()) {
    const source: LogSource = { kind: "hook", hook: hook.name, phase: "stop" };
    const scope = options.createScope(source, createHookContext("stop", options.facts!, options.log, source, abort.signal, options.reason));
    const startedAtMs = clock.now();
    const finished = await withinMs(clock, deadlineMs - startedAtMs, phases.run({ phase: "stop", hook, self: options.self, scope }));
    if (finished) continue;
    const error = new SamovarError(
      "timeout",
      `${hook.name} was still running when stopGracePeriod (${options.graceMs / 1_000} s) was over. Make it faster, or raise stopGracePeriod`,
    );
    options.log.line(source, "error", error.message);
    phases.overran("stop", hook.name, startedAtMs, toSerializedError(error));
    phases.skipped("stop", hooks.slice(i + 1));
    break;
  }
  cancelGrace();
  const scope = options.createScope({ kind: "worker" }, undefined);
  for (const run of options.exits) {
    try {
      await withinMs(clock, Math.max(0, deadlineMs - clock.now()), Promise.resolve(scopes.run(scope, run)));
    } catch (error) {
      options.log.line(scope.source, "error", describe(error));
    }
  }
}

/** Whether it settled in time. Rejects as it does. */
async function withinMs(clock: Clock, ms: number, promise: Promise<unknown>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const cancel = clock.after(Math.max(0, ms), () => resolve(false));
  try {
    return await Promise.race([promise.then(() => true as const), late]);
  } finally {
    cancel();
  }
}
