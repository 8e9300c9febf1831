import { displayWidth, padDisplay } from "./display-width.ts";

export interface Column<Row> {
  readonly title: string;
  readonly align?: "left" | "right";
  readonly cell: (row: Row) => string;
}

/**
 * Columns two spaces apart, titles above, no lines: to be read, and to be cut by awk. `note` adds an indented line
 * under a row that has something to say.
 */
export function renderTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], note: (row: Row) => string | null = () => null): string {
  const cells = rows.map((row) => columns.map((column) => column.cell(row)));
  const widths = columns.map((column, i) => Math.max(column.title.length, ...cells.map((line) => displayWidth(line[i]!))));
  const draw = (line: readonly string[]): string =>
    line
      .map((cell, i) => padDisplay(cell, widths[i]!, columns[i]!.align))
      .join("  ")
      .trimEnd();
  const lines = [draw(columns.map((column) => column.title))];
  rows.forEach((row, i) => {
    lines.push(draw(cells[i]!));
    const text = note(row);
    if (text) lines.push(...text.split("\n").map((part, j) => (j === 0 ? `  └ ${part}` : `    ${part}`)));
  });
  return `${lines.join("\n")}\n`;
}
