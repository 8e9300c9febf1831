import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["samovar-source"] },
  ssr: { resolve: { conditions: ["samovar-source"] } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "examples/*/**/*.test.ts", "bench/**/*.test.ts", "tools/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    pool: "forks",
    execArgv: ["--conditions=samovar-source"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
