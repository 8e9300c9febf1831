import { ERROR_CATALOGUE, SamovarError, type ErrorCode } from "@samovar/protocol";
import type { Colors } from "./colors.ts";

/**
 * An error that the user's own code raised, in a container or in `main`: it is shown with its stack, because the
 * stack is what its author needs. `cause` is the error.
 */
export class UserCodeError extends Error {
  override readonly name = "UserCodeError";
  readonly fix: string;

  constructor(cause: unknown, fix: string) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.fix = fix;
  }
}

/**
 * The one place where an error becomes text: what happened, then what to do next. Stacks are shown of errors that
 * user code raised; of others only with `debug`.
 */
export function renderError(error: unknown, options: { readonly colors: Colors; readonly debug: boolean }): string {
  const { colors } = options;
  const lines: string[] = [];
  if (error instanceof UserCodeError) {
    lines.push(renderStack(error.cause, colors));
    lines.push(arrow(error.fix, colors));
    if (options.debug && error.stack) lines.push(colors.dim(error.stack));
    return `${lines.join("\n")}\n`;
  }
  if (error instanceof SamovarError) {
    lines.push(`${colors.red("error")} ${colors.dim(`(${error.code})`)}: ${error.message}`);
    for (const line of renderIssues(error)) lines.push(`  ${line}`);
    const inner = userError(error);
    if (inner) lines.push(renderStack(inner, colors));
    else if (options.debug && error.stack) lines.push(colors.dim(error.stack));
    const fix = toFix(error);
    if (fix !== undefined) lines.push(arrow(fix, colors));
    return `${lines.join("\n")}\n`;
  }
  const told = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  lines.push(`${colors.red("error")} ${colors.dim("(internal)")}: Something of ours went wrong: ${told}`);
  if (options.debug && error instanceof Error && error.stack) lines.push(colors.dim(error.stack));
  lines.push(arrow(options.debug ? "Report it with the stack above" : "Run it again with SAMOVAR_DEBUG=1 for the stack, and report it", colors));
  return `${lines.join("\n")}\n`;
}

/** Where the catalogue speaks to callers over HTTP, and a command has words of its own. */
const COMMAND_FIXES: Partial<Record<ErrorCode, string>> = {
  not_found: "Check the name or id",
  unauthorized: "Set SAMOVAR_TOKEN to a token of this server; with SAMOVAR_URL none is taken from SAMOVAR_HOME",
};

/** What to do about it: the raiser's own words, else a command's or the catalogue's, for which a message is a problem's detail; nothing where the message says it already. */
function toFix(error: SamovarError): string | undefined {
  const fix =
    typeof error.fields.fix === "string"
      ? error.fields.fix
      : (COMMAND_FIXES[error.code] ?? ERROR_CATALOGUE[error.code].fix.replace("the detail", "the message"));
  return saysAlready(error.message, fix) ? undefined : fix;
}

/** In the same or nearly the same words: two thirds of those that mean something. */
function saysAlready(message: string, fix: string): boolean {
  const said = new Set(toWords(message));
  const words = toWords(fix);
  return words.filter((word) => said.has(word)).length >= (words.length * 2) / 3;
}

const toWords = (text: string): string[] => (text.toLowerCase().match(/\w{3,}/g) ?? []).filter((word) => word !== "the" && word !== "and");

/** The author's own error inside one of ours, such as a start hook that threw; not where the message shows it already. */
function userError(error: SamovarError): unknown {
  if (/\n\s+at /.test(error.message)) return undefined;
  return ERROR_CATALOGUE[error.code].fault === "author" && error.cause instanceof Error && !(error.cause instanceof SamovarError) ? error.cause : undefined;
}

function arrow(text: string, colors: Colors): string {
  return `${colors.cyan("  →")} ${text}`;
}

const MAX_CAUSES = 8;

/** `Name: message` and frames, then the causes, then the members of an AggregateError. */
export function renderStack(error: unknown, colors: Colors, depth = 0): string {
  if (!(error instanceof Error)) return `${colors.red("Error")}: ${String(error)}`;
  const head = `${error.name}: ${error.message}`;
  const lines = [colors.red(head), ...toFrames(error).map((frame) => colors.dim(`    ${frame}`))];
  if (depth < MAX_CAUSES) {
    if (error.cause !== undefined) lines.push(`  caused by ${indentRest(renderStack(error.cause, colors, depth + 1))}`);
    if (error instanceof AggregateError || Array.isArray((error as { errors?: unknown }).errors)) {
      for (const member of (error as AggregateError).errors) lines.push(`  - ${indentRest(renderStack(member, colors, depth + 1))}`);
    }
  }
  return lines.join("\n");
}

function toFrames(error: Error): string[] {
  return (error.stack ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => /^at\s/.test(line));
}

const indentRest = (text: string): string => text.split("\n").join("\n  ");

/** What a schema's issues are about; those of a request to the API are in the message already, with their names. */
const ISSUE_SUBJECTS: Partial<Record<ErrorCode, string>> = { invalid_input: "input", invalid_output: "result" };

function renderIssues({ code, fields: { issues } }: SamovarError): string[] {
  const subject = ISSUE_SUBJECTS[code];
  if (subject === undefined || !Array.isArray(issues)) return [];
  return issues.map((issue: { message?: unknown; path?: readonly unknown[] }) => {
    const path = (issue.path ?? []).map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
    return `${subject}${path}: ${String(issue.message)}`;
  });
}
