import { BATCH_OPTION, readSchema, type Draft } from "../options/option-table.ts";
import { throwMistakes, type CodeShape, type Mistake, type RawOptions } from "../options/mistakes.ts";
import { findNearest } from "../options/nearest.ts";
import { DAY_MS, durationIn, isPlainObject, SECOND_MS, WrongValue } from "../options/parse-values.ts";
import { toMistakes } from "../options/resolve-options.ts";
import { show } from "@samovar/protocol";

type Reader = (value: unknown, name: string) => void;

const METHOD_OPTIONS: Readonly<Record<string, Reader>> = {
  route: (value) => {
    if (typeof value !== "string" || !/^\/[\w\-.~/]*[\w\-.~]$/.test(value) || /\/{2}|(^|\/)\.{1,2}(\/|$)/.test(value)) {
      const parts = typeof value === "string" ? value.split("/").map((part) => part.replaceAll(/[^\w\-.~]+/g, "-")) : [];
      const instead = `/${parts.filter((part) => part !== "" && !/^[.-]+$/.test(part)).join("/") || "v1/tokens"}`;
      throw new WrongValue(`route is ${show(value)}, but it takes a path such as "/v1/tokens"`, instead);
    }
  },
  timeout: (value, name) => void readMethodTimeout(value, name),
  batch: (value, name) => BATCH_OPTION.batch!(value, emptyDraft(), name),
  input: (value, name) => void readSchema(value, name),
  output: (value, name) => void readSchema(value, name),
};

const emptyDraft = (): Draft => ({ options: {} });

export const readMethodTimeout = (value: unknown, name = "timeout"): number | null =>
  durationIn(value, name, { minMs: SECOND_MS, maxMs: DAY_MS, never: "no limit" });

const BUILD_OPTIONS: Readonly<Record<string, Reader>> = {
  key: (value) => {
    if (!Array.isArray(value)) throw new WrongValue(`key is ${show(value)}, but it takes a list`, [value]);
  },
};

const START_OPTIONS: Readonly<Record<string, Reader>> = {
  snapshot: (value) => {
    if (typeof value !== "boolean") throw new WrongValue(`snapshot is ${show(value)}, but it takes true or false`, true);
  },
};

/** Throws for options that a decorator does not have or that are wrong. */
export function checkMethodOptions(options: unknown, entry: Function): void {
  check("@method", options, METHOD_OPTIONS, (text) => `@method(${text}) predict(input, ctx) { … }`, entry);
}

export function checkHookOptions(kind: "onBuild" | "onDeploy" | "onStart" | "onStop", options: unknown, entry: Function): void {
  const known = kind === "onBuild" ? BUILD_OPTIONS : kind === "onStart" ? START_OPTIONS : {};
  check(`@${kind}`, options, known, (text) => `@${kind}(${text}) protected ${kind === "onDeploy" ? "static " : ""}async load(ctx) { … }`, entry);
}

function check(subject: string, options: unknown, known: Readonly<Record<string, Reader>>, render: (text: string) => string, entry: Function): void {
  if (options === undefined) return;
  const shape: CodeShape = { subject, render: (text) => render(text === "{}" ? "" : text) };
  if (!isPlainObject(options)) return throwMistakes([{ message: `The options are ${show(options)}, but it takes an object` }], {}, shape, entry);
  const mistakes: Mistake[] = [];
  for (const [key, value] of Object.entries(options as RawOptions)) {
    try {
      if (!Object.hasOwn(known, key)) {
        mistakes.push(describeUnknown(key, value, options, known));
        continue;
      }
      if (value !== undefined) known[key]!(value, key);
    } catch (error) {
      if (!(error instanceof WrongValue)) throw error;
      mistakes.push(...toMistakes(error, key));
    }
  }
  throwMistakes(mistakes, options, shape, entry);
}

function describeUnknown(key: string, value: unknown, options: RawOptions, known: Readonly<Record<string, Reader>>): Mistake {
  const names = Object.keys(known);
  const nearest = findNearest(key, names);
  return {
    message: `Unknown option "${key}"${nearest ? `: did you mean "${nearest}"?` : names.length ? `: it has ${names.join(", ")}` : ": it has none"}`,
    mend: (mended) => {
      delete mended[key];
      if (nearest !== undefined && options[nearest] === undefined) mended[nearest] = value;
    },
  };
}
