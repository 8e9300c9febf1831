import type { ContainerInfo, FunctionInfo } from "@samovar/protocol";
import type { AttemptEnd, FunctionEntry } from "@samovar/scheduler";
import { CallMetrics } from "./call-metrics.ts";
import { ContainerMetrics } from "./container-metrics.ts";
import { METRICS_CONTENT_TYPE, encodeFamilies } from "./exposition.ts";
import { poolFamilies } from "./pool-metrics.ts";
import { ProcessMetrics } from "./process-metrics.ts";
import { TaskMetrics } from "./task-metrics.ts";

export interface MetricsOptions {
  readonly version: string;
  readonly driver: string;
  /** Pools as they are when asked. */
  readonly functions: () => readonly FunctionInfo[];
  /** Functions that have series of their own; those beyond are told together, as `other`. Default: 300. */
  readonly maxFunctions?: number;
}

const MAX_FUNCTIONS = 300;

/**
 * What a server tells Prometheus. Labels are names of apps, functions and versions, and words of short lists; nothing that a
 * caller sends becomes one. Counting costs nothing that a call would notice; the text is made when it is asked for.
 */
export class Metrics {
  readonly #options: MetricsOptions;
  readonly #maxFunctions: number;
  readonly #calls: CallMetrics;
  readonly #containers: ContainerMetrics;
  readonly #tasks: TaskMetrics;
  readonly #process = new ProcessMetrics();

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#maxFunctions = options.maxFunctions ?? MAX_FUNCTIONS;
    this.#calls = new CallMetrics(this.#maxFunctions);
    this.#containers = new ContainerMetrics(this.#maxFunctions);
    this.#tasks = new TaskMetrics(this.#maxFunctions);
  }

  /** Once for each call that is over. */
  callEnded(entry: FunctionEntry, status: number, durationMs: number): void {
    this.#calls.ended(entry, status, durationMs);
  }

  /** Once for each attempt of a task that is over. */
  taskAttemptEnded(end: AttemptEnd): void {
    this.#tasks.ended(end);
  }

  /** At each change of a container, with all that is known of it. */
  containerChanged(info: ContainerInfo): void {
    this.#containers.changed(info);
  }

  async scrape(): Promise<{ readonly contentType: string; readonly body: string }> {
    const { version, driver, functions } = this.#options;
    const body = encodeFamilies([
      {
        name: "samovar_build_info",
        help: "1; what this server is.",
        type: "gauge",
        samples: [{ labels: { version, node: process.versions.node, driver }, value: 1 }],
      },
      ...poolFamilies(functions(), this.#maxFunctions),
      ...this.#containers.families(),
      ...this.#calls.families(),
      ...this.#tasks.families(),
      ...this.#process.families(),
    ]);
    return { contentType: METRICS_CONTENT_TYPE, body };
  }

  dispose(): void {
    this.#process.dispose();
  }
}
