import { join } from "node:path";
import type { AppManifest, AppResponse, DeployedFunction, FunctionManifest } from "@samovar/protocol";
import type { Settings } from "../settings.ts";
import type { Colors } from "../output/colors.ts";
import { renderTable } from "../output/table.ts";

/**
 * Where the functions of a served app are reached, and a line for the shell that calls the first of them. `only`:
 * the one the user named; the others are there too, because functions of an app call each other.
 */
export function renderServed(manifest: AppManifest, response: AppResponse, only: FunctionManifest | null, settings: Settings, colors: Colors): string {
  const shown = pairs(manifest, response).filter(({ fn }) => only === null || fn.name === only.name);
  const rows = shown.flatMap(({ fn, deployed }) =>
    fn.kind === "cls"
      ? Object.keys(fn.methods).map((method) => ({ name: `${deployed.name}.${method}`, kind: fn.kind, url: `${deployed.url}/${method}` }))
      : [{ name: deployed.name, kind: fn.kind, url: deployed.url }],
  );
  if (rows.length === 0) return `${colors.yellow(`${manifest.app} has no functions yet`)}\n`;
  const table = renderTable(rows, [
    { title: "NAME", cell: (row) => row.name },
    { title: "KIND", cell: (row) => row.kind },
    { title: "URL", cell: (row) => colors.cyan(row.url) },
  ]);
  return `${table}${colors.dim(`  ${toCurl(shown[0]!.fn, rows[0]!.url, settings)}`)}\n`;
}

interface Served {
  readonly fn: FunctionManifest;
  readonly deployed: DeployedFunction;
}

/** A served function's name ends in -dev; its id does not tell its name. They stand in the manifest's order. */
function pairs(manifest: AppManifest, response: AppResponse): Served[] {
  return manifest.functions.flatMap((fn) => {
    const deployed = response.functions.find((each) => each.name === fn.name || each.name === `${fn.name}-dev`);
    return deployed ? [{ fn, deployed }] : [];
  });
}

/** A line for the shell that calls a function. The token is named by where it is kept: a terminal's history and a CI's log are no place for it. */
export function toCurl(fn: FunctionManifest, url: string, settings: Settings): string {
  const token = settings.token !== null ? "$SAMOVAR_TOKEN" : settings.url !== null ? "TOKEN" : `$(cat '${join(settings.home, "admin-token")}')`;
  const authorization = fn.options.authorized ? `-H "authorization: Bearer ${token}" ` : "";
  const prefer = fn.kind === "function" ? "-H 'prefer: wait' " : "";
  // It takes no input: each POST runs it once.
  if (fn.kind === "schedule") return `curl -X POST ${authorization}'${url}'`;
  return `curl -N ${authorization}${prefer}-H 'content-type: application/json' -d '{}' '${url}'`;
}
