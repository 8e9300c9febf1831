import { STOP_REASONS, type ContainerInfo, type PhaseEvent, type StopReason } from "@samovar/protocol";
import { BoundedSeries } from "./bounded-series.ts";
import type { Family, Sample } from "./exposition.ts";
import { Histogram } from "./histogram.ts";

type FunctionLabels = { readonly app: string; readonly function: string };

/** How the start of a container ended. `hooks`: it ran build or deploy hooks, and was never to take inputs. */
export type StartOutcome = "ready" | "failed" | "stopped" | "hooks";

/** Why a container ended, as few words: the text for people has names and numbers in it, and would be a series each. */
export type EndReason = StopReason | "start-failed" | "exit" | "signal" | "oom" | "lost" | "other";

export const PHASE_SECONDS = Object.freeze([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800]);

const KNOWN_REASONS: ReadonlySet<string> = new Set(STOP_REASONS);

export function toEndReason({ state, reason }: Pick<ContainerInfo, "state" | "reason">): EndReason {
  if (state === "failed") return "start-failed";
  if (reason === null) return "other";
  if (KNOWN_REASONS.has(reason)) return reason as StopReason;
  if (reason === "oom" || reason === "lost") return reason;
  if (/^exit \d+$/.test(reason)) return "exit";
  return /^SIG[A-Z0-9]+$/.test(reason) || reason === "killed" ? "signal" : "other";
}

export function toStartOutcome({ state, phases }: Pick<ContainerInfo, "state" | "phases">): StartOutcome {
  if (state === "failed") return "failed";
  if (phases.some(({ phase }) => phase === "build" || phase === "deploy")) return "hooks";
  return "stopped";
}

/** Of one function, all its versions: these words are few, and a new version's starts are compared with the old one's. */
class ContainerSeries {
  readonly starts = new Map<StartOutcome, number>();
  readonly ends = new Map<EndReason, number>();
  /** By phase and outcome, such as `start ok`. */
  readonly phases = new Map<string, Histogram>();

  phase({ phase, outcome, durationMs }: PhaseEvent): void {
    const key = `${phase} ${outcome}`;
    let histogram = this.phases.get(key);
    if (!histogram) this.phases.set(key, (histogram = new Histogram(PHASE_SECONDS)));
    histogram.observe(durationMs / 1_000);
  }

  add(other: ContainerSeries): void {
    for (const [outcome, value] of other.starts) count(this.starts, outcome, value);
    for (const [reason, value] of other.ends) count(this.ends, reason, value);
    for (const [key, histogram] of other.phases) {
      let own = this.phases.get(key);
      if (!own) this.phases.set(key, (own = new Histogram(PHASE_SECONDS)));
      own.add(histogram);
    }
  }
}

interface Living {
  /** How many of its phases are counted. */
  phases: number;
  startTold: boolean;
}

/**
 * Starts, phases and ends of containers, from what is told at each of their changes. A container is told many times, and
 * each of its phases, its start and its end are counted once.
 */
export class ContainerMetrics {
  readonly #series: BoundedSeries<FunctionLabels, ContainerSeries>;
  readonly #living = new Map<string, Living>();

  constructor(maxFunctions: number) {
    this.#series = new BoundedSeries(maxFunctions, { app: "", function: "other" }, () => new ContainerSeries());
  }

  changed(info: ContainerInfo): void {
    const isOver = info.endedAtMs !== null;
    let living = this.#living.get(info.id);
    if (!living) {
      // Every container is told of when it begins: this one has been counted to its end.
      if (isOver) return;
      // What an earlier server started has been counted there.
      const isReturning = info.state === "returning";
      this.#living.set(info.id, (living = { phases: isReturning ? info.phases.length : 0, startTold: isReturning }));
    }
    if (living.phases === info.phases.length && !isOver) return;
    const series = this.#series.get(`${info.app}/${info.function}`, () => ({ app: info.app, function: info.function }));
    for (; living.phases < info.phases.length; living.phases++) {
      const phase = info.phases[living.phases]!;
      series.phase(phase);
      if (phase.phase === "ready" && !living.startTold) {
        living.startTold = true;
        count(series.starts, "ready");
      }
    }
    if (!isOver) return;
    this.#living.delete(info.id);
    if (!living.startTold) count(series.starts, toStartOutcome(info));
    count(series.ends, toEndReason(info));
  }

  families(): Family[] {
    const entries = [...this.#series.entries()];
    const counters = <K extends string>(label: string, of: (series: ContainerSeries) => ReadonlyMap<K, number>): Sample[] =>
      entries.flatMap(([labels, series]) => [...of(series)].map(([key, value]) => ({ labels: { ...labels, [label]: key }, value })));
    return [
      {
        name: "samovar_container_starts_total",
        help: "Containers whose start is over, by how it ended.",
        type: "counter",
        samples: counters("outcome", ({ starts }) => starts),
      },
      {
        name: "samovar_container_ends_total",
        help: "Containers that are over, by the reason.",
        type: "counter",
        samples: counters("reason", ({ ends }) => ends),
      },
      {
        name: "samovar_container_phase_seconds",
        help: "Phases of containers that are over; ready is the whole start.",
        type: "histogram",
        bounds: PHASE_SECONDS,
        samples: entries.flatMap(([labels, { phases }]) =>
          [...phases].map(([key, histogram]) => {
            const [phase, outcome] = key.split(" ");
            return histogram.sample({ ...labels, phase: phase!, outcome: outcome! });
          }),
        ),
      },
    ];
  }
}

function count<K>(counts: Map<K, number>, key: K, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}
