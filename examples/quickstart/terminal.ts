import { styleText } from "node:util";

export const width: number = Math.min(process.stdout.columns ?? 100, 120);

// Styled only where stdout is a terminal that shows it, as styleText decides.
const style =
  (format: Parameters<typeof styleText>[0]) =>
  (text: string): string =>
    styleText(format, text, { stream: process.stdout });

export const bold = style("bold");
export const dim = style("dim");
export const cyan = style("cyan");

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
