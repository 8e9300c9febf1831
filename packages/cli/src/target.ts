import { SamovarError } from "@samovar/protocol";
import { statSync } from "node:fs";
import { resolve } from "node:path";

/** `FILE[:NAME[.METHOD]]`, taken apart. */
export interface Target {
  /** Absolute. */
  readonly file: string;
  /** As the user wrote it. */
  readonly label: string;
  readonly name: string | null;
  readonly method: string | null;
}

/**
 * Takes `FILE[:NAME[.METHOD]]` apart. A file may have colons in its name: what exists as a file wins, then the
 * last colon cuts.
 */
export function parseTarget(text: string, cwd: string, probe: (path: string) => "file" | "folder" | null = probeDisk): Target {
  const whole = resolve(cwd, text);
  if (probe(whole) === "file") return { file: whole, label: text, name: null, method: null };
  const colon = text.lastIndexOf(":");
  const label = colon === -1 ? text : text.slice(0, colon);
  const selector = colon === -1 ? "" : text.slice(colon + 1);
  const file = resolve(cwd, label);
  const found = label === "" ? null : probe(file);
  if (found === "folder")
    throw new SamovarError("invalid_request", `${label} is a folder`, { fields: { fix: `Name the module in it, such as ${label.replace(/\/$/, "")}/app.ts` } });
  if (found === null)
    throw new SamovarError("not_found", `There is no file ${label || text}: looked for ${label ? file : whole}`, {
      fields: { fix: "Check the path: it is FILE, FILE:NAME or FILE:NAME.METHOD" },
    });
  if (colon !== -1 && selector === "")
    throw new SamovarError("invalid_request", `Nothing stands after the colon of ${JSON.stringify(text)}`, {
      fields: { fix: `Write ${label}:NAME, or ${label} alone` },
    });
  const dot = selector.indexOf(".");
  const name = dot === -1 ? selector : selector.slice(0, dot);
  const method = dot === -1 ? null : selector.slice(dot + 1);
  if (name === "" || method === "")
    throw new SamovarError("invalid_request", `${JSON.stringify(selector)} is not NAME or NAME.METHOD`, { fields: { fix: `Write ${label}:NAME.METHOD` } });
  return { file, label, name: name || null, method };
}

function probeDisk(path: string): "file" | "folder" | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats ? (stats.isDirectory() ? "folder" : "file") : null;
}
