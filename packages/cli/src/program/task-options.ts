import { InvalidArgumentError, Option, type Command } from "commander";
import { MAX_TASK_KEY_LENGTH, MAX_TASK_TERM_MS, TASK_STATUSES, type TaskStatus } from "@samovar/protocol";
import { readDurationMs, toDurationMs } from "./options.ts";

const STATUS_OPTION = "--status <statuses>";

/** Options that say which tasks are meant. */
export function addTaskFilter(command: Command): Command {
  return command
    .option("--function <name>", "only tasks of this function")
    .option("--app <name>", "only tasks of this app")
    .addOption(new Option(STATUS_OPTION, "only tasks at these, with commas between, such as ERROR,TIMEOUT").argParser(toStatuses))
    .addOption(new Option("--since <duration>", "only tasks that were accepted at most so long ago, such as 1h or 7d").argParser(toDurationMs));
}

/** Of commands that look at what is over. */
export const failedOption = (): Option => new Option("--failed", "the same as --status ERROR,TIMEOUT").conflicts("status");

export const waitOption = (description = "wait until it is over, or for so long"): Option =>
  new Option("--wait [duration]", description).argParser(toDurationMs);

export const limitOption = (): Option => new Option("--limit <n>", "how many at most").default(50).argParser(toLimit);

/** Below zero: others go first. */
export function toHeadStartMs(text: string): number {
  return assertTerm(readDurationMs(text, "Give seconds, or a number with ms, s, m, h or d; it may be negative, such as --priority=-5m."));
}

export const toDelayMs = (text: string): number => assertTerm(toDurationMs(text));

export function toTtlMs(text: string): number {
  const ttlMs = assertTerm(toDurationMs(text));
  if (ttlMs < 1) throw new InvalidArgumentError("It has to be at least 1 ms: a task that has no time to live would never begin.");
  return ttlMs;
}

export function toTaskKey(text: string): string {
  if (text === "" || text.length > MAX_TASK_KEY_LENGTH) throw new InvalidArgumentError(`It has to have 1 to ${MAX_TASK_KEY_LENGTH} characters.`);
  return text;
}

function assertTerm(ms: number): number {
  if (Math.abs(ms) > MAX_TASK_TERM_MS) throw new InvalidArgumentError(`It has to be at most ${MAX_TASK_TERM_MS / 86_400_000}d.`);
  return ms;
}

function toLimit(text: string): number {
  const limit = Number(text);
  if (!/^\d{1,6}$/.test(text) || limit === 0) throw new InvalidArgumentError("It has to be a whole number from 1.");
  return limit;
}

function toStatuses(text: string): readonly TaskStatus[] {
  const wanted = text.split(",").map((part) => part.trim().toUpperCase());
  const unknown = wanted.find((status) => !(TASK_STATUSES as readonly string[]).includes(status));
  if (unknown !== undefined) throw new InvalidArgumentError(`${JSON.stringify(unknown)} is no status: there are ${TASK_STATUSES.join(", ")}.`);
  return [...new Set(wanted)] as TaskStatus[];
}
