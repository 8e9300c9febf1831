import { judge, type Finding } from "./finding.ts";
import type { Spread } from "./statistics.ts";

const HEAD = ["", "samovar", "bare Node", "functions-framework", "judged (least … greatest)", "aim", ""];

/** The findings for a terminal: figures are medians over the rounds, and what is judged shows its spread. */
export function renderTable(findings: readonly Finding[], paint: (verdict: "met" | "missed", text: string) => string = (_, text) => text): string {
  const rows = findings.map((finding) => {
    const { title, unit, figures, judged, aim } = finding;
    const figure = (target: string): string => (figures[target] ? `${formatNumber(figures[target].median)} ${unit}`.trimEnd() : "");
    return [
      title,
      figure("samovar"),
      figure("bare"),
      figure("framework"),
      judged ? `${judged.what} ${formatSpread(judged.spread)}` : "",
      aim ? `${aim.at === "least" ? "≥" : "≤"} ${aim.value}` : "",
      judge(finding),
    ];
  });
  const widths = HEAD.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]!.length)));
  // Figures stand to the right, so that their digits can be compared.
  const toLine = (cells: readonly string[]): string[] =>
    cells.map((cell, column) => (column >= 1 && column <= 3 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)));
  const lines = rows.map((row) => {
    const verdict = row.at(-1)!;
    const cells = toLine(row);
    if (verdict === "met" || verdict === "missed") cells[cells.length - 1] = paint(verdict, verdict);
    return cells.join("  ").trimEnd();
  });
  return `${[toLine(HEAD).join("  ").trimEnd(), ...lines].join("\n")}\n`;
}

function formatSpread({ min, median, max }: Spread): string {
  return `${formatNumber(median)} (${formatNumber(min)} … ${formatNumber(max)})`;
}

/** Three digits, as many as such measurements are worth. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  return size >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}
