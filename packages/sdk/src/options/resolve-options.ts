import { DEFAULT_OPTIONS, KIND_DEFAULTS, type FunctionKind, type FunctionOptions } from "@samovar/protocol";
import { findContradictions } from "./contradictions.ts";
import type { Mistake, RawOptions } from "./mistakes.ts";
import { findNearest, hintNearest } from "./nearest.ts";
import { completeGpuCount } from "./gpu-option.ts";
import { completeNetwork } from "./network-option.ts";
import { COMMON_OPTIONS, type Draft, type OptionReader } from "./option-table.ts";
import { WrongValue } from "./parse-values.ts";

export interface ReadOptions {
  readonly draft: Draft;
  readonly mistakes: readonly Mistake[];
}

/** Reads what the user wrote. `known` are the options of this kind; `elsewhere` those that exist, but take no effect here. */
export function readOptions(raw: RawOptions, known: Readonly<Record<string, OptionReader>>, elsewhere: Readonly<Record<string, string>> = {}): ReadOptions {
  const draft: Draft = { options: {} };
  const mistakes: Mistake[] = [];
  for (const key of Object.keys(raw)) if (!Object.hasOwn(known, key)) mistakes.push(describeUnknown(key, raw, known, elsewhere));
  // In the table's order, not the user's: taskPolicy overrides retries and timeout wherever it stands.
  for (const [key, read] of Object.entries(known)) {
    if (raw[key] === undefined) continue;
    try {
      read(raw[key], draft, key);
    } catch (error) {
      if (!(error instanceof WrongValue)) throw error;
      mistakes.push(...toMistakes(error, key));
    }
  }
  mistakes.push(...findContradictions(raw, draft));
  return { draft, mistakes };
}

/** All that is wrong with one option; what it says in its place mends it as a whole. */
export function toMistakes({ messages, instead }: WrongValue, key: string): Mistake[] {
  const mend = (options: Record<string, unknown>): void => {
    if (instead === undefined) delete options[key];
    else options[key] = instead;
  };
  return messages.map((message) => ({ message, mend }));
}

/** Options that people know from elsewhere: the nearest known ones would be other things. */
const NOT_YET = new Set(["image", "volumes", "secrets", "snapshot"]);

function describeUnknown(key: string, raw: RawOptions, known: Readonly<Record<string, OptionReader>>, elsewhere: Readonly<Record<string, string>>): Mistake {
  if (Object.hasOwn(elsewhere, key)) return { message: elsewhere[key]!, mend: (options) => void delete options[key] };
  if (NOT_YET.has(key)) return { message: `${key} is not supported yet by this version`, mend: (options) => void delete options[key] };
  const names = Object.keys(known);
  const nearest = findNearest(key, names);
  return {
    message: `Unknown option "${key}"${hintNearest(key, names)}`,
    mend: (options) => {
      delete options[key];
      if (nearest !== undefined && raw[nearest] === undefined && reads(known[nearest]!, raw[key], nearest)) options[nearest] = raw[key];
    },
  };
}

/** Whether a value fits another option: the corrected code must be right. */
function reads(read: OptionReader, value: unknown, name: string): boolean {
  try {
    read(value, { options: {} }, name);
    return true;
  } catch {
    return false;
  }
}

/** Fills in every default of the kind. `batchSize`: the largest batch of the function, which its workers must be able to hold. */
export function completeOptions(draft: Draft, batchSize: number, kind: FunctionKind): FunctionOptions {
  const own = draft.options;
  const defaults: FunctionOptions = { ...DEFAULT_OPTIONS, ...KIND_DEFAULTS[kind] };
  const retries = { ...defaults.retries, ...draft.retries };
  const concurrencyMax = own.concurrencyMax ?? Math.max(defaults.concurrencyMax, batchSize);
  return {
    ...defaults,
    ...own,
    ...(kind !== "taskqueue" && own.maxPendingTasks !== undefined && own.maxPendingTasks !== null ? { taskLimit: own.maxPendingTasks } : {}),
    gpuCount: completeGpuCount(draft),
    network: completeNetwork(draft),
    env: own.env ?? {},
    concurrencyMax,
    concurrencyTarget: own.concurrencyTarget ?? concurrencyMax,
    queueTimeoutMs: own.queueTimeoutMs ?? own.startupTimeoutMs ?? defaults.queueTimeoutMs,
    retries: { ...retries, maxDelayMs: draft.retries?.maxDelayMs ?? Math.max(retries.maxDelayMs, retries.initialDelayMs) },
  };
}

export const APP_OPTIONS: Readonly<Record<string, OptionReader>> = COMMON_OPTIONS;
