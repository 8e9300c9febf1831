import type { AppManifest, DeployedFunction, DeployResponse } from "@samovar/protocol";
import type { Colors } from "../output/colors.ts";
import { renderTable } from "../output/table.ts";
import { toCurl } from "../serve/served-functions.ts";
import type { Settings } from "../settings.ts";

/** What is deployed now, and a line for the shell that calls the first of it. A class has a line for each method. */
export function renderDeployed(manifest: AppManifest, response: DeployResponse, settings: Settings, colors: Colors): string {
  const rows = response.functions.flatMap((deployed) => {
    const fn = manifest.functions.find((each) => each.name === deployed.name);
    const methods = deployed.kind === "cls" ? Object.keys(fn?.methods ?? {}) : [];
    return methods.length === 0
      ? [{ ...deployed, fn }]
      : methods.map((method) => ({ ...deployed, name: `${deployed.name}.${method}`, url: `${deployed.url}/${method}`, fn }));
  });
  const table = renderTable(rows, [
    { title: "NAME", cell: (row) => row.name },
    { title: "KIND", cell: (row) => row.kind },
    { title: "VERSION", align: "right", cell: (row) => String(row.version) },
    { title: "URL", cell: (row) => colors.cyan(row.url) },
  ]);
  const first = rows.find((row) => row.fn !== undefined);
  return first?.fn ? `${table}${colors.dim(`  ${toCurl(first.fn, first.url, settings)}`)}\n` : table;
}

/** What stands in no module any more: sentences for people. */
export function describeLeft({ left, pruned }: Pick<DeployResponse, "left" | "pruned">, target: string): readonly string[] {
  const notes: string[] = [];
  if (pruned.length > 0) notes.push(`Stopped, because the module no longer has ${pruned.length === 1 ? "it" : "them"}: ${pruned.join(", ")}`);
  const still = left.filter((fn) => !pruned.includes(fn.name));
  if (still.length > 0) {
    notes.push(
      `Still deployed, though the module no longer has ${still.length === 1 ? "it" : "them"}: ${still.map(describeOne).join(", ")}`,
      `  → \`samovar deploy ${target} --prune\` stops ${still.length === 1 ? "it" : "them"}`,
    );
  }
  return notes;
}

const describeOne = (fn: DeployedFunction): string => `${fn.name} (${fn.kind}, version ${fn.version})`;
