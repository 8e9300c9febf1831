import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { SamovarError } from "@samovar/protocol";
import { readBytes } from "../client/http-client.ts";
import type { CliIo } from "../io.ts";

/** The input that `--input` says: JSON, `-` for stdin, `@FILE` for a file. Left out: undefined. */
export async function readInput(text: string | undefined, io: Pick<CliIo, "stdin" | "cwd">): Promise<unknown> {
  if (text === undefined) return undefined;
  if (text === "-") return parseJson((await readBytes(io.stdin, "")).toString("utf8"), "stdin");
  if (text.startsWith("@")) return parseJson(await readInputFile(resolve(io.cwd, text.slice(1)), text), text.slice(1));
  return parseJson(text, "--input");
}

/** Constructor parameters of a class: an array of them, or one value. */
export function parseParameters(text: string | undefined): readonly unknown[] {
  if (text === undefined) return [];
  const value = parseJson(text, "--with");
  return Array.isArray(value) ? value : [value];
}

async function readInputFile(path: string, text: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new SamovarError("invalid_json", `--input ${text} can't be read: ${(error as Error).message}`, { fields: { fix: "Check the path after the @" } });
  }
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const shown = text.length > 60 ? `${text.slice(0, 57)}…` : text;
    const hint = /^[A-Za-z_][\w .-]*$/.test(text)
      ? `A string needs its quotes: '${JSON.stringify(text)}'`
      : `Write JSON in single quotes, such as '{"text":"hi"}'`;
    throw new SamovarError("invalid_json", `${what} is not JSON: ${(error as Error).message}: ${JSON.stringify(shown)}`, { fields: { fix: hint } });
  }
}
