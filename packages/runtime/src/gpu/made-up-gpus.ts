import { readFile } from "node:fs/promises";
import { SamovarError, show } from "@samovar/protocol";
import type { DetectedGpu } from "./detect-gpus.ts";

/** An inventory that somebody wrote, for tests and for machines without `nvidia-smi`. */
export interface MadeUpGpus {
  readonly gpus: readonly DetectedGpu[];
  /** Where the CDI files are that go with it; absent: where they always are. */
  readonly cdiDirs?: readonly string[];
}

/**
 * Reads what SAMOVAR_GPUS holds: `none`; names and memory, `T4:16384,T4:16384`; or the path of a JSON file, with a list of
 * `{ "name", "memoryMib", "id"?, "index"? }`, or an object of it as `gpus` and of `cdiDirs`. Throws `invalid_option`.
 */
export async function readMadeUpGpus(text: string): Promise<MadeUpGpus> {
  if (text.trim() === "none") return { gpus: [] };
  if (!text.includes("/") && !text.endsWith(".json")) return { gpus: text.split(",").map(parseItem) };
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(text, "utf8"));
  } catch (error) {
    throw mistake(`names the file ${show(text)}, which can't be read: ${(error as Error).message}`, error);
  }
  const { gpus, cdiDirs } = (Array.isArray(parsed) ? { gpus: parsed } : (parsed ?? {})) as { gpus?: unknown; cdiDirs?: unknown };
  if (!Array.isArray(gpus)) throw mistake(`names the file ${show(text)}, which holds no list of GPUs`);
  if (cdiDirs !== undefined && !isListOfText(cdiDirs)) throw mistake(`names the file ${show(text)}, whose cdiDirs is ${show(cdiDirs)}, not a list of folders`);
  const read = gpus.map(parseRecord);
  const twice = read.find((gpu, at) => read.some((other, i) => i < at && (other.id === gpu.id || other.index === gpu.index)));
  if (twice) throw mistake(`names the file ${show(text)}, which has two GPUs with the id ${twice.id} or the index ${twice.index}`);
  return { gpus: read, ...(cdiDirs === undefined ? {} : { cdiDirs }) };
}

function parseItem(item: string, index: number): DetectedGpu {
  const match = /^([A-Za-z0-9][A-Za-z0-9 ._-]*?)(?::(\d+))?$/.exec(item.trim());
  if (!match) throw mistake(`holds ${show(item)}, but each GPU is its name and its memory in MiB, such as T4:16384`);
  return { index, id: madeUpId(index), name: match[1]!, memoryMib: Number(match[2] ?? 0) };
}

function parseRecord(record: unknown, at: number): DetectedGpu {
  const { id, name, memoryMib = 0, index = at } = (record ?? {}) as Record<string, unknown>;
  const isRight =
    typeof name === "string" &&
    /^[A-Za-z0-9][A-Za-z0-9 ._-]*$/.test(name) &&
    (id === undefined || (typeof id === "string" && /^[\w-]+$/.test(id))) &&
    isCount(memoryMib) &&
    isCount(index);
  if (!isRight)
    throw mistake(`names a file that holds ${show(record)}, but each GPU is { "name": "T4", "memoryMib": 16384 }, with "id" and "index" as you like`);
  return { index, id: id ?? madeUpId(index), name, memoryMib };
}

const madeUpId = (index: number): string => `GPU-made-up-${index}`;
const isCount = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
const isListOfText = (value: unknown): value is string[] => Array.isArray(value) && value.every((item) => typeof item === "string");
const mistake = (what: string, cause?: unknown): SamovarError => new SamovarError("invalid_option", `SAMOVAR_GPUS ${what}`, { cause });
