import { stripVTControlCharacters } from "node:util";

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const PLAIN = /^[\x20-\x7e]*$/;

/** Columns that a text takes on a terminal: escape sequences take none. Wide scripts are counted as one, which is near enough for names. */
export function displayWidth(text: string): number {
  const shown = stripVTControlCharacters(text);
  return PLAIN.test(shown) ? shown.length : Iterator.from(segmenter.segment(shown)).reduce((count) => count + 1, 0);
}

export function padDisplay(text: string, width: number, align: "left" | "right" = "left"): string {
  const gap = " ".repeat(Math.max(0, width - displayWidth(text)));
  return align === "left" ? text + gap : gap + text;
}
