import path from "node:path";
import { SamovarError } from "@samovar/protocol";
import { formatMessages, type Message } from "esbuild";

/** What esbuild reported, as one `bundle_failed` that shows each place with its line and a caret. */
export async function toBundleError(errors: readonly Message[], file: string): Promise<SamovarError> {
  const name = path.basename(file);
  const shown = (await formatMessages(errors.map(withFix), { kind: "error", color: false, terminalWidth: 120 })).map((text) => text.trimEnd());
  const count = errors.length === 1 ? "" : ` (${errors.length} errors)`;
  return new SamovarError("bundle_failed", `${name} can't be bundled${count}:\n\n${shown.join("\n\n")}`, {
    fields: {
      locations: errors.flatMap((e) => (e.location ? [{ file: e.location.file, line: e.location.line, column: e.location.column + 1, message: e.text }] : [])),
    },
  });
}

/** esbuild's advice on a missing package is to mark it external, which helps nobody here. */
function withFix(message: Message): Message {
  const specifier = /^Could not resolve "([^"]+)"/.exec(message.text)?.[1];
  if (specifier === undefined) return message;
  if (/^[./]/.test(specifier)) return { ...message, notes: message.notes.filter((note) => note.location !== null) };
  return { ...message, notes: [{ text: fixForMissing(specifier), location: null }] };
}

function fixForMissing(specifier: string): string {
  if (specifier.startsWith("#")) return `package.json has no "imports" entry for ${specifier}`;
  const name = packageName(specifier);
  return name ? `The package isn't installed: run npm install ${name}` : "Check the spelling of the import";
}

/** `@scope/name/sub` → `@scope/name`; undefined for what is no package: paths, `#imports`, URLs. */
export function packageName(specifier: string): string | undefined {
  return /^(@[^/\s]+\/[^/\s]+|[^@./#\s][^/:\s]*)(?:\/|$)/.exec(specifier)?.[1];
}
