import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

const EXCLUDED = ["**/node_modules/**", "**/dist/**"];
const SYSTEM = ["packages/testkit/src/**/*.test.ts", "examples/*/**/*.test.ts"];

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
    projects: [
      {
        extends: true,
        test: {
          name: "parts",
          include: ["packages/*/src/**/*.test.ts", "bench/**/*.test.ts", "tools/**/*.test.ts"],
          exclude: [...EXCLUDED, ...SYSTEM],
          // Most of them wait for processes and disks: two at a time are no trouble for two cores.
          maxWorkers: Math.max(2, availableParallelism() - 1),
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        // Servers, containers and floods, which have the machine to themselves.
        test: { name: "system", include: SYSTEM, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
