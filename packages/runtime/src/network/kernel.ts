import { CommandQueue } from "./command-queue.ts";
import { runCommand } from "./commands.ts";

/** The two programs that change the kernel's networks, in batches. Shared by all networks of this process. */
export interface Kernel {
  /** Lines for `ip`. All are tried; rejects with the first that failed. */
  link(lines: readonly string[]): Promise<void>;
  /** Rules for `nft`: all of them or none. */
  rules(text: string): Promise<void>;
}

export function createKernel(): Kernel {
  const links = new CommandQueue<readonly string[]>(applyLinks);
  const rules = new CommandQueue<string>(applyRules);
  return {
    link: (lines) => (lines.length === 0 ? Promise.resolve() : links.push(lines)),
    rules: (text) => (text === "" ? Promise.resolve() : rules.push(text)),
  };
}

async function applyLinks(changes: readonly (readonly string[])[]): Promise<(Error | null)[]> {
  const result = await runCommand("ip", ["-force", "-batch", "-"], `${changes.flat().join("\n")}\n`);
  if (result.code === 0) return [];
  const failures = parseBatchFailures(result.stderr);
  if (failures.size === 0) return changes.map(() => new Error(`ip failed: ${result.stderr.trim()}`));
  let next = 1;
  return changes.map((lines) => {
    const first = next;
    next += lines.length;
    const failed = lines.findIndex((line, index) => failures.has(first + index) && !isGone(line, failures.get(first + index)!));
    return failed < 0 ? null : new Error(`ip ${lines[failed]}: ${failures.get(first + failed)}`);
  });
}

/** What was to be removed is not there: that is as good. */
function isGone(line: string, reason: string): boolean {
  return (
    (line.startsWith("link del ") && reason.includes("Cannot find device")) || (line.startsWith("netns del ") && reason.includes("No such file or directory"))
  );
}

/** `ip -force -batch` prints what is wrong with a line, then `Command failed -:<line>`. */
export function parseBatchFailures(stderr: string): Map<number, string> {
  const failures = new Map<number, string>();
  let reason: string[] = [];
  for (const line of stderr.split("\n")) {
    const failed = /^Command failed -:(\d+)$/.exec(line.trim());
    if (failed) {
      failures.set(Number(failed[1]), reason.join(" "));
      reason = [];
    } else if (line.trim() !== "") reason.push(line.trim());
  }
  return failures;
}

/** A mistake of one spoils the transaction of all: then each is tried by itself. */
async function applyRules(changes: readonly string[]): Promise<(Error | null)[]> {
  const result = await runCommand("nft", ["-f", "-"], changes.join(""));
  if (result.code === 0) return [];
  if (changes.length === 1) return [new Error(`nft failed: ${result.stderr.trim()}`)];
  const results: (Error | null)[] = [];
  for (const change of changes) results.push((await applyRules([change]))[0] ?? null);
  return results;
}
