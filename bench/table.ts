import { judge, type Finding } from "./finding.ts";
import type { Spread } from "./statistics.ts";

/** What a column is headed, by target; their order is that of the columns. */
const TARGETS: ReadonlyMap<string, string> = new Map([
  ["samovar", "samovar"],
  ["bare", "bare Node"],
  ["framework", "functions-framework"],
  ["runc", "runc run"],
  ["crun", "crun run"],
  ["docker", "docker run"],
  ["bullmq", "BullMQ"],
  ["graphile", "graphile-worker"],
  ["pgboss", "pg-boss"],
  ["full", "with them"],
]);

/** The findings for a terminal, with a column for each target: figures are medians over the rounds, and what is judged shows its spread. */
export function renderTable(findings: readonly Finding[], paint: (verdict: "met" | "missed", text: string) => string = (_, text) => text): string {
  const measured = new Set(findings.flatMap(({ figures }) => Object.keys(figures)));
  // One that has no words of its own is shown by its id.
  const targets = [...new Set([...TARGETS.keys(), ...measured])].filter((target) => measured.has(target));
  const head = ["", ...targets.map((target) => TARGETS.get(target) ?? target), "judged (least … greatest)", "aim", ""];
  const rows = findings.map((finding) => {
    const { title, unit, figures, judged, aim } = finding;
    const figure = (target: string): string => (figures[target] ? `${formatNumber(figures[target].median)} ${unit}`.trimEnd() : "");
    return [
      title,
      ...targets.map(figure),
      judged ? `${judged.what} ${formatSpread(judged.spread)}` : "",
      aim ? `${aim.at === "least" ? "≥" : "≤"} ${aim.value}` : "",
      judge(finding),
    ];
  });
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]!.length)));
  // Figures stand to the right, so that their digits can be compared.
  const toLine = (cells: readonly string[]): string[] =>
    cells.map((cell, column) => (column >= 1 && column <= targets.length ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)));
  const lines = rows.map((row) => {
    const verdict = row.at(-1)!;
    const cells = toLine(row);
    if (verdict === "met" || verdict === "missed") cells[cells.length - 1] = paint(verdict, verdict);
    return cells.join("  ").trimEnd();
  });
  return `${[toLine(head).join("  ").trimEnd(), ...lines].join("\n")}\n`;
}

function formatSpread({ min, median, max }: Spread): string {
  return `${formatNumber(median)} (${formatNumber(min)} … ${formatNumber(max)})`;
}

/** Three digits, as many as such measurements are worth. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  return size >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}
