import { describeNameProblem, SamovarError, type AppManifest, type ExtractOptions, type FunctionManifest } from "@samovar/protocol";
import type { App } from "./app.ts";
import { nameOf, type DefinitionRecord } from "./definitions/record.ts";
import { throwMistakes } from "./options/mistakes.ts";
import { suggestName } from "./options/option-table.ts";
import { mergeOptions } from "./options/merge-options.ts";
import { completeOptions } from "./options/resolve-options.ts";

type Namespace = Readonly<Record<string, unknown>>;

/** Gives each exported definition its export's name: the first one, where it is exported twice; `default` only if there is no other. */
export function nameExports(namespace: Namespace, records: readonly DefinitionRecord[]): void {
  const names = Object.keys(namespace).filter((name) => name !== "default");
  for (const record of records) {
    record.exportName =
      names.find((name) => namespace[name] === record.handle) ?? (record.ownName !== null && namespace.default === record.handle ? "default" : null);
  }
}

/** Checks the app as a whole and describes it. All mistakes are told together. */
export function extractManifest(namespace: Namespace, options: ExtractOptions, records: readonly DefinitionRecord[], apps: readonly App[]): AppManifest {
  nameExports(namespace, records);
  const mistakes = [...checkApps(apps), ...checkExports(namespace, records), ...checkNames(records)];
  if (mistakes.length > 0) {
    const head =
      mistakes.length === 1
        ? `${options.file}: ${mistakes[0]!}`
        : `${options.file} has ${mistakes.length} mistakes:\n${mistakes.map((text) => `  - ${text.replaceAll("\n", "\n  ")}`).join("\n")}`;
    throw new SamovarError("invalid_definition", head, { fields: { mistakes } });
  }
  const app = apps[0];
  let texts: readonly string[] | undefined;
  const sources = (): readonly string[] => (texts ??= options.sources?.() ?? readSource(options.file));
  return {
    manifestVersion: 1,
    app: app?.name ?? options.appName,
    functions: records.map((record) => describe(record, record.app ?? app, sources)),
    hasMain: typeof namespace.default === "function",
  };
}

function readSource(file: string): string[] {
  try {
    return [process.getBuiltinModule("node:fs").readFileSync(file, "utf8")];
  } catch {
    // It only tells more about types; a bundle may be all there is.
    return [];
  }
}

function describe(record: DefinitionRecord, app: App | undefined, sources: () => readonly string[]): FunctionManifest {
  const own = record.options;
  // A free function may stand above `new App` in the module: only now are the app's defaults known for all.
  const { draft, mistakes } = record.read(mergeOptions(app?.options ?? {}, own));
  throwMistakes(mistakes, mergeOptions(app?.options ?? {}, own), {
    ...record.shape,
    subject: `${record.exportName}, with the defaults of its app: ${record.shape.subject}`,
    site: record.site,
  });
  return {
    name: nameOf(record)!,
    kind: record.kind,
    exportName: record.exportName!,
    options: completeOptions(draft, record.batchSize, record.kind),
    ...record.describe(sources),
  };
}

function checkApps(apps: readonly App[]): string[] {
  if (apps.length < 2) return [];
  const names = apps.map((app) => `new App(${JSON.stringify(app.name)})`);
  return [
    `A module has one app, but this one makes ${apps.length}: ${names.join(" and ")}. Keep one, and put the other's functions under it or into a module of their own:\n  const app = ${names[0]!};`,
  ];
}

function checkExports(namespace: Namespace, records: readonly DefinitionRecord[]): string[] {
  return records
    .filter((record) => record.exportName === null)
    .map((record) => {
      const name = record.ownName && /^[A-Za-z_$][\w$]*$/.test(record.ownName) ? record.ownName : "myFunction";
      const problem =
        namespace.default === record.handle
          ? "is the default export, which is the local entry point and gives it no name"
          : "is not exported, so that nothing could find it";
      return `${record.ownName === null ? record.label : `${record.label} named "${record.ownName}"`} at ${record.site()} ${problem}. Write:\n  export const ${name} = ${record.shape.render("{ … }")};`;
    });
}

function checkNames(records: readonly DefinitionRecord[]): string[] {
  const mistakes: string[] = [];
  const owners = new Map<string, DefinitionRecord>();
  for (const record of records) {
    const name = nameOf(record);
    if (name === null) continue;
    const problem = record.ownName === null ? describeNameProblem(name) : undefined;
    if (problem)
      mistakes.push(
        `The export ${name} can't be a function's name: ${problem}. Rename it, or give a name:\n  export const ${name} = ${record.shape.render(`{ name: ${JSON.stringify(suggestName(name))}, … }`)};`,
      );
    const owner = owners.get(name.toLowerCase());
    if (owner) mistakes.push(describeClash(owner, record));
    else owners.set(name.toLowerCase(), record);
  }
  return mistakes;
}

function describeClash(first: DefinitionRecord, second: DefinitionRecord): string {
  const [a, b] = [nameOf(first)!, nameOf(second)!];
  return `Two functions have the name ${JSON.stringify(a)}${a === b ? "" : `, for names are compared in lower case (${JSON.stringify(b)})`}: ${first.exportName ?? first.label} at ${first.site()} and ${second.exportName ?? second.label} at ${second.site()}. Write:\n  export const ${second.exportName ?? "other"} = ${second.shape.render(`{ name: ${JSON.stringify(`${b}2`)}, … }`)};`;
}
