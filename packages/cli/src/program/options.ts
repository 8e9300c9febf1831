import { InvalidArgumentError, Option } from "commander";
import { parseDuration } from "@samovar/protocol";

export const appOption = (): Option => new Option("--app <name>", "the app's name, unless the module says it with new App(name)");
export const driverOption = (): Option => new Option("--driver <name>", "what starts containers").choices(["auto", "oci", "process"]);
export const forceBuildOption = (): Option => new Option("--force-build", "run onBuild hooks also where their result is cached");
export const jsonOption = (description = "JSON in place of text"): Option => new Option("--json", description);
export const tailOption = (): Option => new Option("-n, --tail <lines>", "how many of the last lines come first").default(100).argParser(toCount);

export function envOption(description = "a variable for every function and for main; may be repeated"): Option {
  return new Option("-e, --env <K=V>", description).argParser((text: string, before: Record<string, string> | undefined) => {
    const at = text.indexOf("=");
    if (at < 1) throw new InvalidArgumentError("It has to be NAME=VALUE.");
    return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
  });
}

/** Milliseconds. Below zero only where that is said to mean something. */
export function toDurationMs(text: string): number {
  const ms = readDurationMs(text, "Give seconds, or a number with ms, s, m, h or d, such as 30s or 5m.");
  if (ms < 0) throw new InvalidArgumentError("It can't be negative.");
  return ms;
}

export function readDurationMs(text: string, help: string): number {
  try {
    return parseDuration(text, "the option");
  } catch {
    throw new InvalidArgumentError(help);
  }
}

export function toPort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("It has to be a number from 0 to 65535; 0 takes a free one.");
  return port;
}

function toCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("It has to be a number of lines.");
  return Number(text);
}
