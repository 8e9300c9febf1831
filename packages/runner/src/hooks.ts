import { FRAME, encodeValue, toSerializedError, type HookDefinition, type Phase, type PhaseMessage, type SerializedError } from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import { scopes, type Scope } from "./scope.ts";
import type { ServerLink } from "./server-link.ts";
import type { WorkerLog } from "./worker-log.ts";

export interface HookRun {
  readonly phase: Phase;
  readonly hook: HookDefinition;
  readonly self: object | undefined;
  readonly scope: Scope;
}

export type HookOutcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

/** Runs hooks and steps of the lifecycle one at a time, each recorded with its start, duration and outcome. */
export class PhaseRecorder {
  readonly #link: ServerLink;
  readonly #clock: Clock;
  readonly #log: WorkerLog;
  /** What runs now: what an uncaught error is blamed on. */
  current: { readonly phase: Phase; readonly hook: string | null } | null = null;

  constructor(link: ServerLink, clock: Clock, log: WorkerLog) {
    this.#link = link;
    this.#clock = clock;
    this.#log = log;
  }

  /** Never rejects: the outcome says what was thrown. */
  run(run: HookRun): Promise<HookOutcome> {
    return this.step(run.phase, run.hook.name, run.scope, () => run.hook.run.call(run.self, run.scope.ctx));
  }

  async step(phase: Phase, hook: string | null, scope: Scope, run: () => unknown): Promise<HookOutcome> {
    const startedAtMs = this.#clock.now();
    const from = this.#clock.monotonic();
    this.current = { phase, hook };
    if (hook !== null) this.#begin(phase, hook);
    let outcome: HookOutcome;
    try {
      outcome = { ok: true, value: await scopes.run(scope, run) };
    } catch (error) {
      outcome = { ok: false, error };
      this.#log.line(scope.source, "error", describe(error));
    }
    this.current = null;
    this.#log.endScope(scope);
    const error = outcome.ok ? null : toSerializedError(outcome.error);
    this.#send({ phase, hook, startedAtMs, durationMs: this.#clock.monotonic() - from, outcome: outcome.ok ? "ok" : "failed", error });
    return outcome;
  }

  skipped(phase: Phase, hooks: readonly HookDefinition[]): void {
    for (const hook of hooks) this.#send({ phase, hook: hook.name, startedAtMs: this.#clock.now(), durationMs: 0, outcome: "skipped", error: null });
  }

  failed(phase: Phase, hook: string | null, error: SerializedError): void {
    this.#link.control(FRAME.failed, encodeValue({ phase, hook, error }));
  }

  /** For a hook that is given up while it runs. */
  overran(phase: Phase, hook: string, startedAtMs: number, error: SerializedError): void {
    this.#send({ phase, hook, startedAtMs, durationMs: this.#clock.now() - startedAtMs, outcome: "failed", error });
  }

  /** Must have left before the hook runs: a hook may exit, or never give the event loop another turn. */
  #begin(phase: Phase, hook: string): void {
    this.#link.control(FRAME.begin, encodeValue({ phase, hook }));
    this.#link.flush();
  }

  #send(message: PhaseMessage): void {
    this.#link.control(FRAME.phase, encodeValue(message));
  }
}

/** A thrown thing as the log shows it: with its stack where it has one. */
export function describe(error: unknown): string {
  const data = toSerializedError(error);
  let text = data.stack ?? `${data.name}: ${data.message}`;
  for (let cause = data.cause; cause; cause = cause.cause) text += `\n  caused by ${cause.stack ?? `${cause.name}: ${cause.message}`}`;
  return text;
}
