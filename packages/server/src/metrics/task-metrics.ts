import type { AttemptEnd } from "@samovar/scheduler";
import type { TaskStatus } from "@samovar/protocol";
import { BoundedSeries } from "./bounded-series.ts";
import { CALL_SECONDS } from "./call-metrics.ts";
import type { Family } from "./exposition.ts";
import { Histogram } from "./histogram.ts";

type TaskLabels = { readonly app: string; readonly function: string };

/** Of one function: where attempts left their tasks, how long tasks waited and attempts took. */
class TaskSeries {
  readonly byStatus = new Map<TaskStatus, number>();
  readonly waits = new Histogram(CALL_SECONDS);
  readonly runs = new Histogram(CALL_SECONDS);

  ended({ status, waitedMs, ranMs }: AttemptEnd): void {
    this.byStatus.set(status, (this.byStatus.get(status) ?? 0) + 1);
    if (waitedMs !== null) this.waits.observe(waitedMs / 1_000);
    this.runs.observe(ranMs / 1_000);
  }

  add(other: TaskSeries): void {
    for (const [status, count] of other.byStatus) this.byStatus.set(status, (this.byStatus.get(status) ?? 0) + count);
    this.waits.add(other.waits);
    this.runs.add(other.runs);
  }
}

/** Attempts of tasks, counted when their ends are on disk. */
export class TaskMetrics {
  readonly #series: BoundedSeries<TaskLabels, TaskSeries>;

  constructor(maxFunctions: number) {
    this.#series = new BoundedSeries(maxFunctions, { app: "", function: "other" }, () => new TaskSeries());
  }

  ended(end: AttemptEnd): void {
    this.#series.get(`${end.app}/${end.function}`, () => ({ app: end.app, function: end.function })).ended(end);
  }

  families(): Family[] {
    const entries = [...this.#series.entries()];
    return [
      {
        name: "samovar_task_attempts_total",
        help: "Attempts of tasks that are over, by where they left the task; RETRY: another follows, PENDING: it was given back and not counted.",
        type: "counter",
        samples: entries.flatMap(([labels, { byStatus }]) => [...byStatus].map(([status, value]) => ({ labels: { ...labels, status }, value }))),
      },
      {
        name: "samovar_task_wait_seconds",
        help: "From a task's acceptance to the start of its first attempt, delays that were asked for included.",
        type: "histogram",
        bounds: CALL_SECONDS,
        samples: entries.map(([labels, { waits }]) => waits.sample(labels)),
      },
      {
        name: "samovar_task_attempt_seconds",
        help: "How long attempts of tasks took.",
        type: "histogram",
        bounds: CALL_SECONDS,
        samples: entries.map(([labels, { runs }]) => runs.sample(labels)),
      },
    ];
  }
}
