import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const EXCLUDED = ["**/node_modules/**", "**/dist/**"];
const SYSTEM = ["packages/testkit/src/**/*.test.ts", "examples/*/**/*.test.ts"];
/** These flood the machine, or read what it had for all: beside others each would disturb, or be disturbed. */
const ALONE = ["packages/testkit/src/chaos/chaos.test.ts", "packages/testkit/src/e2e/load.test.ts", "packages/testkit/src/oci/kept-verdict.test.ts"];
/** Small files that take long. By itself the runner begins with the largest, so that these would be what all wait for at the end. */
const LONG = /\/(?:driver-conformance|lifecycle-conformance|containment)\.test\.ts$/;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return [...sorted.filter(({ moduleId }) => LONG.test(moduleId)), ...sorted.filter(({ moduleId }) => !LONG.test(moduleId))];
  }
}

/** For what hangs, not for what is slow: a dozen processes may start at this moment. */
const PATIENCE = { testTimeout: 180_000, hookTimeout: 180_000 };

// Servers, commands and storage threads that tests start keep what Node has compiled where `samovar` does by itself, not each
// in its own new home: stripping and compiling the same sources anew was half of each server's start.
process.env["NODE_COMPILE_CACHE"] ??= join(tmpdir(), "node-compile-cache");

export default defineConfig({
  resolve: { conditions: ["samovar-source"] },
  ssr: { resolve: { conditions: ["samovar-source"] } },
  test: {
    exclude: EXCLUDED,
    // Bundles that tests make are loaded as Node loads them.
    server: { deps: { external: [/\/samovar-app-[^/]+\//] } },
    pool: "forks",
    execArgv: ["--conditions=samovar-source"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "parts",
          include: ["packages/*/src/**/*.test.ts", "bench/**/*.test.ts", "tools/**/*.test.ts"],
          exclude: [...EXCLUDED, ...SYSTEM],
          // Most of them wait for processes and disks: one more than there are cores keeps all of these busy.
          maxWorkers: availableParallelism() + 1,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "system",
          include: SYSTEM,
          exclude: [...EXCLUDED, ...ALONE],
          // Whole servers with commands and containers, each in a home of its own. Nearly half of their time is waiting for a
          // process to start or to end: two files at a time keep two cores busy.
          maxWorkers: 2,
          ...PATIENCE,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        // Floods, kills and measurements, which have the machine to themselves.
        test: { name: "alone", include: ALONE, maxWorkers: 1, ...PATIENCE, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
