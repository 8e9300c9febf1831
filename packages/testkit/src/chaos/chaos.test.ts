import { expect, test } from "vitest";
import { renderReport } from "./render-report.ts";
import { runChaos } from "./run-chaos.ts";

/** Another one each time: `npm run chaos -- --seed N --kills 8` repeats what a failure names. */
const seed = Math.floor(Math.random() * 1e6);
const KILLS = 8;

test("whoever is killed, whenever: no acknowledged task is lost or completed twice, and all that happened is explained", { timeout: 240_000 }, async () => {
  const lines: string[] = [];
  const tell = (line: string): void => void lines.push(line);
  const report = await runChaos({
    seed,
    kills: KILLS,
    maxMs: 120_000,
    driver: "process",
    producers: 3,
    pauseMs: [30, 200],
    refusedCallbacks: 0,
    tell,
  }).catch((error: unknown) => {
    throw new Error(`Chaos with seed ${seed}:\n${lines.join("\n")}`, { cause: error });
  });
  expect(report.violations.length, `${lines.join("\n")}\n${renderReport(report, seed)}`).toBe(0);
  // A run in which next to nothing was done would prove nothing.
  expect(report.history.tasks.length).toBeGreaterThan(50);
  expect(report.history.lives.length).toBeGreaterThan(1);
});
