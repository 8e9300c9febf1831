import { CommandQueue } from "./command-queue.ts";
import { runCommand } from "./commands.ts";

/** The two programs that change the kernel's networks, in batches. Shared by all networks of this process. */
export interface Kernel {
  /** Lines for `ip`. All are tried; rejects with the first that failed. */
  link(lines: readonly string[]): Promise<void>;
  /** Removes links, and namespaces of the same names; those that are gone already are as good. */
  unwire(links: readonly string[]): Promise<void>;
  /** Rules for `nft`: all of them or none. */
  rules(text: string): Promise<void>;
}

export function createKernel(): Kernel {
  const links = new CommandQueue<readonly string[]>(applyLinks);
  const unwired = new CommandQueue<readonly string[]>(applyUnwire);
  const rules = new CommandQueue<string>(applyRules);
  return {
    link: (lines) => (lines.length === 0 ? Promise.resolve() : links.push(lines)),
    unwire: (names) => (names.length === 0 ? Promise.resolve() : unwired.push(names)),
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

/**
 * For each link by itself the kernel waits until no packet is on its way, 10 to 20 ms, and holds its lock: those of a
 * group it takes down together. Nobody else uses this number, and another server that does means the same by it.
 */
const CONDEMNED_GROUP = 0x53_4d_56_52;

async function applyUnwire(changes: readonly (readonly string[])[]): Promise<(Error | null)[]> {
  const names = changes.flat();
  const moved = names.map((name) => `link set ${name} group ${CONDEMNED_GROUP}`);
  const removed = names.map((name) => `netns del ${name}`);
  const lines = [...moved, `link del group ${CONDEMNED_GROUP}`, ...removed];
  const result = await runCommand("ip", ["-force", "-batch", "-"], `${lines.join("\n")}\n`);
  if (result.code === 0) return [];
  const failures = parseBatchFailures(result.stderr);
  const bad = lines.findIndex((line, index) => failures.has(index + 1) && !isGone(line, failures.get(index + 1)!));
  const error = bad < 0 && failures.size > 0 ? null : new Error(`ip ${lines[bad] ?? ""}: ${failures.get(bad + 1) ?? result.stderr.trim()}`);
  return changes.map(() => error);
}

/** What was to be removed is not there: that is as good. */
function isGone(line: string, reason: string): boolean {
  if (line.startsWith("netns del ")) return reason.includes("No such file or directory");
  return (line.startsWith("link del ") || line.includes(` group ${CONDEMNED_GROUP}`)) && reason.includes("Cannot find device");
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
