import path from "node:path";
import { fromSerializedError, SamovarError, type SerializedError } from "@samovar/protocol";
import type { Bundle } from "./bundle.ts";

const MAX_FRAMES = 8;

/** What a module threw while it loaded, with the author's own lines of the stack. */
export function toLoadError(error: SerializedError, bundle: Bundle): SamovarError {
  const frames = authorFrames(error.stack ?? "", bundle.root);
  const cause = error.cause ? [`  [cause] ${error.cause.name}: ${error.cause.message}`] : [];
  const text = [`${path.basename(bundle.file)} can't be loaded: ${error.name}: ${error.message}`, ...frames, ...cause].join("\n");
  return new SamovarError("load_failed", text, { cause: fromSerializedError(error) });
}

/** Stack lines without Node's and our own, paths relative to the project. */
function authorFrames(stack: string, root: string): string[] {
  const lines = stack.split("\n").filter((line) => /^\s+at /.test(line) && !/[ (]node:|app-host-child\.[jt]s/.test(line));
  return lines.slice(0, MAX_FRAMES).map((line) => line.replaceAll(`file://${root}/`, "").replaceAll(`${root}/`, ""));
}
