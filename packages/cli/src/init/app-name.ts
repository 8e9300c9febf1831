import { describeNameProblem } from "@samovar/protocol";

/** An app's name from a folder's: what can't stand in one becomes a dash. */
export function toAppName(folder: string): string {
  const name = folder
    .replace(/[^A-Za-z0-9_-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+|-+$/g, "")
    .slice(0, 63);
  return describeNameProblem(name) === undefined ? name : "app";
}
