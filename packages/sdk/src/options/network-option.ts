import { DEFAULT_OPTIONS, describeAllowProblem, MAX_ALLOW_ENTRIES, show, type NetworkPolicy } from "@samovar/protocol";
import type { Mistake, RawOptions } from "./mistakes.ts";
import { findNearest } from "./nearest.ts";
import type { Draft } from "./option-table.ts";
import { isPlainObject, WrongValue } from "./parse-values.ts";
import { readFields } from "./read-fields.ts";

const MODES = ["host", "isolated", "none"] as const;
const EXAMPLE = '["10.0.0.0/8", "example.com"]';
const ONLY_ISOLATED = 'only "isolated" has a list of what it reaches';

export function readNetwork(value: unknown, draft: Draft, name: string): void {
  if (!isPlainObject(value)) {
    draft.network = { mode: readMode(value, name) };
    return;
  }
  const network: { mode: NetworkPolicy["mode"]; allow?: readonly string[] } = { mode: "isolated" };
  readFields(
    value,
    name,
    {
      mode: (field, what) => (network.mode = readMode(field, what)),
      allow: (field, what) => (network.allow = readAllowList(field, what)),
    },
    { mode: "isolated" },
  );
  draft.network = network;
}

export function readAllow(value: unknown, draft: Draft, name: string): void {
  draft.allow = readAllowList(value, name);
}

/** Whether `network` alone says all that is reached: then a default for `allow` means nothing. */
export function tellsAllow(network: unknown): boolean {
  return isPlainObject(network) ? network.allow !== undefined || network.mode !== "isolated" : network !== "isolated";
}

export function findNetworkContradictions(raw: RawOptions, { network, allow }: Draft): Mistake[] {
  const mistakes: Mistake[] = [];
  if (network?.allow && network.mode !== "isolated") {
    const mended = { mode: "isolated", allow: network.allow };
    mistakes.push({
      message: `network.mode (${show(network.mode)}) and network.allow contradict each other: ${ONLY_ISOLATED}`,
      mend: (options) => (options.network = mended),
    });
  }
  if (!allow) return mistakes;
  if (network?.allow) {
    mistakes.push({
      message: "network.allow and allow are two spellings of one option: give one of them",
      mend: (options) => void delete options.allow,
    });
  } else if (raw.network === undefined) {
    mistakes.push({ message: `allow needs network: "isolated": ${ONLY_ISOLATED}`, mend: (options) => (options.network = "isolated") });
  } else if (network && network.mode !== "isolated") {
    mistakes.push({
      message: `network (${show(network.mode)}) and allow contradict each other: ${ONLY_ISOLATED}`,
      mend: (options) => (options.network = "isolated"),
    });
  }
  return mistakes;
}

export function completeNetwork({ network, allow }: Draft): NetworkPolicy {
  return { mode: network?.mode ?? DEFAULT_OPTIONS.network.mode, allow: network?.allow ?? allow ?? DEFAULT_OPTIONS.network.allow };
}

function readMode(value: unknown, name: string): NetworkPolicy["mode"] {
  const mode = MODES.find((one) => one === value);
  if (mode !== undefined) return mode;
  // Left out it would be the host's, which is more than anyone who wrote it asked for.
  const instead = (typeof value === "string" && findNearest(value, MODES)) || "isolated";
  throw new WrongValue(
    `${name} is ${show(value)}, but it takes "host", "isolated" or "none"${name.includes(".") ? "" : `, or { mode: "isolated", allow: ${EXAMPLE} }`}`,
    instead,
  );
}

function readAllowList(value: unknown, name: string): readonly string[] {
  const good = (entry: unknown): entry is string => describeAllowProblem(entry) === undefined;
  if (!Array.isArray(value))
    throw new WrongValue(`${name} is ${show(value)}, but it takes a list of CIDRs and domains, such as ${EXAMPLE}`, good(value) ? [value] : undefined);
  const messages = value.flatMap((entry) => describeAllowProblem(entry) ?? []).map((problem) => `${name}: ${problem}`);
  if (value.length > MAX_ALLOW_ENTRIES) messages.push(`${name} has ${value.length} entries, but it takes ${MAX_ALLOW_ENTRIES} at most`);
  if (messages.length > 0) throw new WrongValue(messages, value.filter(good).slice(0, MAX_ALLOW_ENTRIES));
  return value as readonly string[];
}
