import { stripVTControlCharacters } from "node:util";

/** Columns that a text takes on a terminal: escape sequences take none. Wide scripts are counted as one, which is near enough for names. */
export function displayWidth(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

export function padDisplay(text: string, width: number, align: "left" | "right" = "left"): string {
  const gap = " ".repeat(Math.max(0, width - displayWidth(text)));
  return align === "left" ? text + gap : gap + text;
}
