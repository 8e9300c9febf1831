import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";
import { readPackageVersion } from "./package-version.ts";

/** What the figures were measured on and of: without it they mean nothing. */
export interface Setting {
  readonly machine: { readonly cpu: string; readonly cores: number; readonly memoryGib: number; readonly kernel: string };
  /** Load of the machine before the run: above about 0.3 something else was running. */
  readonly loadBefore: number;
  readonly versions: { readonly commit: string; readonly node: string; readonly v8: string; readonly peers: Readonly<Record<string, string>> };
}

const PEERS = ["@google-cloud/functions-framework", "bullmq", "graphile-worker", "pg-boss"];

export function describeSetting(): Setting {
  return {
    machine: {
      cpu: cpus()[0]?.model.trim() ?? "unknown",
      cores: availableParallelism(),
      memoryGib: Math.round(totalmem() / 2 ** 30),
      kernel: `${type()} ${release()}`,
    },
    loadBefore: Math.round(loadavg()[0]! * 100) / 100,
    versions: {
      commit: readCommit(),
      node: process.versions.node,
      v8: process.versions.v8,
      peers: Object.fromEntries(PEERS.map((name) => [name, readPackageVersion(name)])),
    },
  };
}

/** With a plus where files differ from it. */
function readCommit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync("git", args, { encoding: "utf8", cwd: import.meta.dirname, stdio: ["ignore", "pipe", "ignore"] }).trim();
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain") === "" ? "" : "+"}`;
  } catch {
    // Not a checkout, or no git.
    return "unknown";
  }
}
