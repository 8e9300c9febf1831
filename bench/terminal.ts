/** What is being done, in a line that the next one replaces. Told before each step. */
export type Progress = (message: string) => void;

export function showProgress(message: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${message}`);
}

/** A line that stays. */
export function say(line: string): void {
  showProgress("");
  process.stderr.write(`${line}\n`);
}
