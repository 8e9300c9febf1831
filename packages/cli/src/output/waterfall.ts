import type { ContainerInfo, PhaseEvent } from "@samovar/protocol";
import { createColors, type Colors } from "./colors.ts";
import { displayWidth, padDisplay } from "./display-width.ts";
import { formatDuration } from "./durations.ts";

export interface WaterfallOptions {
  /** Columns to draw in; 100 by default. */
  readonly width?: number;
  readonly color?: boolean;
}

/** What happens long after the start has a scale of its own: on one scale with it, the start would be a dot. */
const ENDING: ReadonlySet<string> = new Set(["drain", "stop", "exit"]);
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const MIN_BAR_COLUMNS = 10;

/**
 * The life of a container as bars on a time axis: what it did until it was ready, and how it ended, each with
 * hook, worker, duration and outcome. Pure: the same container gives the same text.
 *
 * @example
 * process.stdout.write(renderWaterfall(container, { width: 80, color: true }));
 */
export function renderWaterfall(container: Pick<ContainerInfo, "phases">, options: WaterfallOptions = {}): string {
  const colors = createColors(options.color ?? false);
  const width = options.width ?? 100;
  const begin = container.phases.filter((phase) => !ENDING.has(phase.phase));
  const end = container.phases.filter((phase) => ENDING.has(phase.phase));
  const sections = [renderSection("Start", begin, width, colors), renderSection("End", end, width, colors)].filter((text) => text !== "");
  return sections.length > 0 ? sections.join("\n") : `${colors.dim("No phase has ended yet")}\n`;
}

function renderSection(title: string, phases: readonly PhaseEvent[], width: number, colors: Colors): string {
  if (phases.length === 0) return "";
  const fromMs = Math.min(...phases.map((phase) => phase.startedAtMs));
  const untilMs = Math.max(...phases.map((phase) => phase.startedAtMs + phase.durationMs));
  const labels = phases.map(toLabel);
  const durations = phases.map((phase) => formatDuration(phase.durationMs));
  const labelColumns = Math.max(...labels.map(displayWidth));
  const durationColumns = Math.max(...durations.map(displayWidth));
  const barColumns = Math.max(MIN_BAR_COLUMNS, Math.min(60, width - labelColumns - durationColumns - 8));
  const lines = phases.map((phase, i) => {
    const bar = toBar(phase.startedAtMs - fromMs, phase.durationMs, untilMs - fromMs, barColumns);
    const outcome = phase.outcome === "ok" ? "" : `  ${phase.outcome}`;
    const paint = phase.outcome === "failed" ? colors.red : phase.outcome === "skipped" ? colors.yellow : phase.phase === "ready" ? colors.green : colors.cyan;
    const detail = phase.detail && phase.outcome !== "ok" ? `\n    ${padDisplay("", labelColumns)}${phase.detail.split("\n")[0]}` : "";
    return `  ${padDisplay(labels[i]!, labelColumns)}  ${paint(padDisplay(bar, barColumns))}  ${padDisplay(durations[i]!, durationColumns, "right")}${paint(outcome)}${colors.dim(detail)}`;
  });
  return `${colors.bold(title)} ${colors.dim(formatDuration(untilMs - fromMs))}\n${lines.map((line) => `${line.trimEnd()}\n`).join("")}`;
}

/** `start connect w1`: the phase, its hook, and the worker where there are several. */
function toLabel(phase: PhaseEvent): string {
  const worker = phase.workerIndex === null ? "" : ` w${phase.workerIndex}`;
  return `${phase.phase}${phase.hook ? ` ${phase.hook}` : ""}${worker}`;
}

/** Drawn to an eighth of a column. The least bar is one eighth: what took no time happened nevertheless. */
function toBar(offsetMs: number, durationMs: number, totalMs: number, columns: number): string {
  const scale = totalMs > 0 ? (columns * 8) / totalMs : 0;
  const startEighths = Math.min(columns * 8 - 1, Math.floor(offsetMs * scale));
  const startColumn = Math.floor(startEighths / 8);
  // A bar begins at a whole column, as text can; so its end is where it ends only if it is longer than one.
  const durationEighths = Math.max(1, Math.round(durationMs * scale));
  const endEighths = durationEighths < 8 ? startColumn * 8 + durationEighths : Math.min(columns * 8, Math.round((offsetMs + durationMs) * scale));
  const eighths = endEighths - startColumn * 8;
  return `${" ".repeat(startColumn)}${"█".repeat(Math.floor(eighths / 8))}${EIGHTHS[eighths % 8]}`;
}
