import { parseArgs } from "node:util";
import { renderReport } from "./render-report.ts";
import { runChaos } from "./run-chaos.ts";

/**
 * `npm run chaos -- --seed 7 --kills 300 --minutes 20 --driver oci`. Ends with 1 when anything was violated. A seed repeats
 * what the killer and the producers do, in order and with the same pauses; what real processes are just doing then it can't.
 */
const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    kills: { type: "string", default: "300" },
    minutes: { type: "string", default: "30" },
    driver: { type: "string", default: "process" },
    producers: { type: "string", default: "4" },
  },
});
const seed = values.seed === undefined ? Math.floor(Math.random() * 1e6) : Number(values.seed);
const write = (line: string): void => void process.stdout.write(`${line}\n`);
write(`Seed ${seed}. The same again: npm run chaos -- --seed ${seed} --kills ${values.kills} --driver ${values.driver}`);
const ending = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ending.abort());
const report = await runChaos({
  seed,
  kills: Number(values.kills),
  maxMs: Number(values.minutes) * 60_000,
  driver: values.driver,
  producers: Number(values.producers),
  pauseMs: [30, 250],
  refusedCallbacks: 5,
  tell: write,
  signal: ending.signal,
});
write(renderReport(report, seed));
process.exit(report.violations.length === 0 ? 0 : 1);
