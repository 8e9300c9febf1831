import { describeNameProblem, SamovarError, type AppManifest } from "@samovar/protocol";
import { selectFunction } from "../select-function.ts";
import type { Target } from "../target.ts";

/** What of a module is deployed, and as what. */
export interface ChosenFunctions {
  /** With the function renamed, where `--name` says so. */
  readonly manifest: AppManifest;
  /** The one function that is deployed; null: all of them. */
  readonly only: string | null;
}

/** Throws where the module has nothing to deploy, or where `--name` could mean several functions. */
export function chooseFunctions(manifest: AppManifest, target: Pick<Target, "label" | "name">, name: string | undefined): ChosenFunctions {
  if (manifest.functions.length === 0) {
    throw new SamovarError("invalid_request", `${target.label} defines no function to deploy`, {
      fields: { fix: 'Define one and export it, such as export const hello = endpoint({}, () => "hi")' },
    });
  }
  const only = target.name === null ? null : selectFunction(manifest, target);
  if (name === undefined) return { manifest, only: only?.name ?? null };

  const problem = describeNameProblem(name);
  if (problem) throw new SamovarError("invalid_option", `--name: ${problem}`);
  const renamed = only ?? (manifest.functions.length === 1 ? manifest.functions[0]! : null);
  if (!renamed) {
    throw new SamovarError("invalid_request", `--name gives one function its name, and ${target.label} has ${manifest.functions.length}`, {
      fields: { fix: `Say which: ${manifest.functions.map((fn) => `${target.label}:${fn.name}`).join(", ")}` },
    });
  }
  const clash = manifest.functions.find((fn) => fn !== renamed && fn.name.toLowerCase() === name.toLowerCase());
  if (clash) throw new SamovarError("conflict", `--name: ${target.label} has another function ${JSON.stringify(clash.name)}`);
  return {
    manifest: { ...manifest, functions: manifest.functions.map((fn) => (fn === renamed ? { ...fn, name } : fn)) },
    only: only && name,
  };
}
