import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["samovar-source"] },
  ssr: { resolve: { conditions: ["samovar-source"] } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "examples/*/**/*.test.ts", "bench/**/*.test.ts", "tools/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    // Bundles that tests make are loaded as Node loads them.
    server: { deps: { external: [/\/samovar-app-[^/]+\//] } },
    pool: "forks",
    // Most tests wait for processes and disks: two at a time are no trouble for two cores.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    execArgv: ["--conditions=samovar-source"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
