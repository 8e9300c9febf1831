import type { BeginMessage, ContainerInfo, ExitStatus, LogLine, LogMessage, LogSource, Phase, PhaseEvent, PhaseMessage } from "@samovar/protocol";
import type { Container } from "./container.ts";
import type { ContainerEvents } from "@samovar/runtime";
import type { ContainerHost } from "./container-types.ts";
import { LineSplitter } from "./line-splitter.ts";

/** How many of its last lines a failed start carries. */
const LAST_LINES = 20;

export interface PhaseRecord {
  readonly phase: Phase;
  readonly workerIndex?: number;
  readonly hook?: string | null;
  readonly durationMs?: number;
  readonly outcome?: PhaseEvent["outcome"];
  readonly detail?: string | null;
  /** Default: `durationMs` ago. */
  readonly startedAtMs?: number;
}

/** What is told of one container: its phases, which are its waterfall, and its log. */
export class ContainerRecord {
  readonly phases: PhaseEvent[];
  readonly #host: ContainerHost;
  readonly #container: Container;
  readonly #lastLines: string[] = [];
  /** The hook that began last and has not ended. */
  #begun: BeginMessage | null = null;

  /** `phases`: those that an earlier server saw. */
  constructor(host: ContainerHost, container: Container, phases: readonly PhaseEvent[] = []) {
    this.phases = [...phases];
    this.#host = host;
    this.#container = container;
  }

  get lastLines(): readonly string[] {
    return [...this.#lastLines];
  }

  /** A phase that the server saw. */
  phase({ phase, workerIndex, hook = null, durationMs = 0, outcome = "ok", detail = null, startedAtMs }: PhaseRecord): void {
    this.phases.push({
      phase,
      workerIndex: workerIndex ?? null,
      hook,
      startedAtMs: startedAtMs ?? this.#host.clock.now() - durationMs,
      durationMs,
      outcome,
      detail,
    });
  }

  /** A phase that a worker told. */
  told(workerIndex: number, { phase, hook, startedAtMs, durationMs, outcome, error }: PhaseMessage): void {
    if (this.#begun?.hook === hook) this.#begun = null;
    this.phases.push({ phase, workerIndex, hook, startedAtMs, durationMs, outcome, detail: error?.message ?? null });
  }

  /** Where its start stands: of worker 0, or of the worker whose hook began last. */
  get startPosition(): { readonly phase: Phase; readonly hook: string | null } {
    if (this.#begun) return this.#begun;
    if (!this.#container.workers.some((worker) => worker.helloAtMs > 0)) return { phase: "create", hook: null };
    if (!this.phases.some((p) => p.phase === "load")) return { phase: "load", hook: null };
    const { mode } = this.#container.plan.load;
    return { phase: mode === "serve" ? "start" : mode, hook: null };
  }

  /** A hook of a worker begins. */
  begins(message: BeginMessage): void {
    this.#begun = message;
  }

  /** What the driver pushes: output becomes lines of the log, all of them before the exit. */
  driverEvents(onExit: (exit: ExitStatus) => void): ContainerEvents {
    const splitters = { stdout: new LineSplitter((text) => this.log("stdout", text)), stderr: new LineSplitter((text) => this.log("stderr", text)) };
    return {
      output: (stream, chunk) => splitters[stream].push(chunk),
      mainExited: (exit) => {
        splitters.stdout.flush();
        splitters.stderr.flush();
        onExit(exit);
      },
    };
  }

  info(failed: boolean): ContainerInfo {
    const container = this.#container;
    const { load } = container.plan;
    return {
      id: container.id,
      function: load.functionName,
      functionId: load.functionId,
      app: load.app,
      version: load.version,
      driver: this.#host.driver.info.name,
      state: failed && container.state === "ended" ? "failed" : container.state,
      reason: container.reason ?? container.stopReason,
      startedAtMs: container.startedAtMs,
      endedAtMs: container.endedAtMs,
      pid: container.tree.pid,
      workers: container.workers.length,
      inputs: { running: container.heldCount, ...container.inputs },
      parameters: load.parameters,
      phases: [...this.phases],
    };
  }

  log(stream: "stdout" | "stderr", text: string, source: LogSource = { kind: "worker" }, workerIndex: number | null = null): void {
    const { id, plan } = this.#container;
    this.line({
      atMs: this.#host.clock.now(),
      containerId: id,
      function: plan.load.functionName,
      workerIndex,
      stream,
      level: stream === "stderr" ? "error" : "info",
      source,
      text,
    });
  }

  workerLines(workerIndex: number, { lines, dropped }: LogMessage): void {
    if (dropped > 0) this.log("stderr", `${dropped} lines of log were dropped: they came faster than they could be kept`, { kind: "system" }, workerIndex);
    const { id, plan } = this.#container;
    for (const line of lines) this.line({ ...line, containerId: id, function: plan.load.functionName, workerIndex });
  }

  line(line: LogLine): void {
    this.#lastLines.push(line.text);
    if (this.#lastLines.length > LAST_LINES) this.#lastLines.shift();
    this.#host.log(line, this.#container);
  }
}
