import type { FunctionEntry } from "@samovar/scheduler";
import { BoundedSeries } from "./bounded-series.ts";
import type { Family } from "./exposition.ts";
import { Histogram } from "./histogram.ts";

type FunctionLabels = { readonly app: string; readonly function: string; readonly version: string };

export const CALL_SECONDS = Object.freeze([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]);
const CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx"] as const;

/** Of one function: calls by status, durations by the status's first digit. */
class CallSeries {
  /** Most functions answer with one or two statuses. */
  readonly byStatus = new Map<number, number>();
  readonly durations: (Histogram | undefined)[] = CLASSES.map(() => undefined);

  ended(status: number, durationMs: number): void {
    const known = status >= 100 && status < 600 ? status : 500;
    this.byStatus.set(known, (this.byStatus.get(known) ?? 0) + 1);
    const index = ((known / 100) | 0) - 1;
    (this.durations[index] ??= new Histogram(CALL_SECONDS)).observe(durationMs / 1_000);
  }

  add(other: CallSeries): void {
    for (const [status, count] of other.byStatus) this.byStatus.set(status, (this.byStatus.get(status) ?? 0) + count);
    for (const [index, histogram] of other.durations.entries()) if (histogram) (this.durations[index] ??= new Histogram(CALL_SECONDS)).add(histogram);
  }
}

/** Calls that the gateway let in, counted when they are over. */
export class CallMetrics {
  readonly #series: BoundedSeries<FunctionLabels, CallSeries>;
  /** Not by id: a name that was deleted and deployed again, or run by two at once, has one series. */
  readonly #keys = new WeakMap<FunctionEntry, string>();

  constructor(maxFunctions: number) {
    this.#series = new BoundedSeries(maxFunctions, { app: "", function: "other", version: "" }, () => new CallSeries());
  }

  ended(entry: FunctionEntry, status: number, durationMs: number): void {
    let key = this.#keys.get(entry);
    if (key === undefined) this.#keys.set(entry, (key = `${entry.app}/${entry.name}/${entry.version}`));
    this.#series.get(key, () => ({ app: entry.app, function: entry.name, version: String(entry.version) })).ended(status, durationMs);
  }

  families(): Family[] {
    const entries = [...this.#series.entries()];
    return [
      {
        name: "samovar_calls_total",
        help: "Calls over HTTP that are over, by the status of their answer; 499: the caller left.",
        type: "counter",
        samples: entries.flatMap(([labels, { byStatus }]) =>
          [...byStatus].map(([status, value]) => ({ labels: { ...labels, status: String(status) }, value })),
        ),
      },
      {
        name: "samovar_call_duration_seconds",
        help: "From a call's first byte to the end of its answer, waiting included.",
        type: "histogram",
        bounds: CALL_SECONDS,
        samples: entries.flatMap(([labels, { durations }]) =>
          durations.flatMap((histogram, index) => (histogram ? [histogram.sample({ ...labels, status: CLASSES[index]! })] : [])),
        ),
      },
    ];
  }
}
