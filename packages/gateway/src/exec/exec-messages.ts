import { SamovarError, type ExecSignal } from "@samovar/protocol";
import type { ExecCommand } from "@samovar/scheduler";
import { constants } from "node:os";

const MAX_ARGUMENTS = 4_096;
const MAX_VARIABLES = 1_024;
/** As wide and high as the kernel can keep it. */
const MAX_SIDE = 65_535;

/** What a client says first. Throws `invalid_request`, which names what is wrong. */
export function parseExecRequest(text: string): ExecCommand {
  const { argv, env, cwd, terminal, ...unknown } = parseObject(text);
  const stray = Object.keys(unknown)[0];
  if (stray !== undefined) throw wrong(`has the unknown key ${JSON.stringify(stray)}`);
  if (!Array.isArray(argv) || argv.length === 0 || argv.length > MAX_ARGUMENTS || !argv.every(isText))
    throw wrong(`needs argv, a list of 1 to ${MAX_ARGUMENTS} strings: the program and its arguments`);
  if (env !== undefined && !isVariables(env)) throw wrong(`takes env as an object of at most ${MAX_VARIABLES} variables, each a string`);
  if (cwd !== undefined && !(isText(cwd) && cwd !== "")) throw wrong("takes cwd as the path of a folder");
  return { argv, env: env ?? {}, cwd: cwd ?? null, terminal: terminal === undefined ? null : parseSize(terminal) };
}

/** What a client says later on. Throws `invalid_request`. */
export function parseExecSignal(text: string): ExecSignal {
  const { type, ...rest } = parseObject(text);
  if (type === "resize") return { type, ...parseSize(rest) };
  if (type === "signal") {
    const { signal } = rest;
    if (typeof signal === "string" && Object.hasOwn(constants.signals, signal)) return { type, signal };
    throw wrong(`names the signal ${JSON.stringify(signal)}, which is none: SIGTERM would be`);
  }
  throw wrong(`has the type ${JSON.stringify(type)}: there are resize and signal`);
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong("is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong("is not an object");
  return value as Record<string, unknown>;
}

function parseSize(value: unknown): NonNullable<ExecCommand["terminal"]> {
  const { columns, rows, ...unknown } = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  if (!isSide(columns) || !isSide(rows) || Object.keys(unknown).length > 0)
    throw wrong(`needs columns and rows of a terminal, each from 1 to ${MAX_SIDE}, and nothing else`);
  return { columns, rows };
}

const isSide = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_SIDE;

/** The kernel ends strings at their first zero byte: what follows would be lost without a word. */
const isText = (value: unknown): value is string => typeof value === "string" && !value.includes("\0");

function isVariables(value: unknown): value is Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  return entries.length <= MAX_VARIABLES && entries.every(([name, text]) => name !== "" && isText(name) && !name.includes("=") && isText(text));
}

const wrong = (what: string): SamovarError => new SamovarError("invalid_request", `The message ${what}`);
