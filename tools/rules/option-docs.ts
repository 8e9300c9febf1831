import { DEFAULT_OPTIONS, type FunctionOptions } from "@samovar/protocol";
import type { Problem, Rule } from "../repository.ts";

const FILE = "docs/lifecycle.md";

type Row<K extends keyof FunctionOptions> = readonly [option: string, show: (value: FunctionOptions[K]) => string];

const seconds = (ms: number | null): string => (ms === null ? "none" : `${ms / 1_000} s`);
const cores = (millis: number): string => `${millis / 1_000} ${millis === 1_000 ? "core" : "cores"}`;
const mebibytes = (mib: number): string => `${mib} MiB`;
const count = (value: number): string => value.toLocaleString("en");
const orElse =
  (text: string) =>
  (value: number | null): string =>
    value === null ? text : count(value);

/** How the table shows each default. Where two resolved values come from one public option, both have to agree with its row. */
const ROWS: { readonly [K in keyof FunctionOptions]: Row<K> } = {
  cpuMillis: ["cpu", cores],
  cpuRequestMillis: ["cpu", cores],
  memoryMib: ["memory", mebibytes],
  memoryRequestMib: ["memory", mebibytes],
  gpu: ["gpu", (names) => (names.length === 0 ? "none" : names.join(", "))],
  gpuCount: ["gpuCount", count],
  diskMib: ["disk", mebibytes],
  network: ["network", ({ mode }) => mode],
  env: ["env", (env) => (Object.keys(env).length === 0 ? "none" : Object.keys(env).join(", "))],
  timeoutMs: ["timeout", seconds],
  startupTimeoutMs: ["startupTimeout", seconds],
  stopGracePeriodMs: ["stopGracePeriod", seconds],
  queueTimeoutMs: ["queueTimeout", seconds],
  drainTimeoutMs: ["drainTimeout", seconds],
  retries: [
    "retries",
    ({ maxRetries, initialDelayMs, backoff, maxDelayMs, jitter }) =>
      `${maxRetries}; delays of ${seconds(initialDelayMs)} × ${backoff}, at most ${seconds(maxDelayMs)}${jitter ? ", with jitter" : ""}`,
  ],
  workers: ["workers", count],
  concurrencyMax: ["concurrency", count],
  concurrencyTarget: ["concurrency", count],
  maxInputsPerWorker: ["maxInputsPerWorker", orElse("no limit")],
  singleUse: ["singleUse", String],
  minContainers: ["minContainers", count],
  maxContainers: ["maxContainers", orElse("what the host can hold")],
  bufferContainers: ["bufferContainers", count],
  scaledownWindowMs: ["scaledownWindow", seconds],
  tasksPerContainer: ["tasksPerContainer", (value) => (value === 0 ? "workers × target" : count(value))],
  maxPendingTasks: ["maxPendingTasks", orElse("no limit")],
  ttlMs: ["ttl", seconds],
  keepResultsMs: ["keepResults", (ms) => `${ms / 86_400_000} d`],
  callbackUrl: ["callbackUrl", (url) => url ?? "none"],
  authorized: ["authorized", String],
  idempotent: ["idempotent", String],
  headless: ["headless", String],
};

/** The table of defaults in docs/lifecycle.md is `DEFAULT_OPTIONS`, both ways: every option has its row, every row its option. */
export function optionDocs(defaults: FunctionOptions = DEFAULT_OPTIONS): Rule {
  return { name: "option-docs", check: ({ files }) => check(files.get(FILE) ?? "", defaults) };
}

function check(text: string, defaults: FunctionOptions): Problem[] {
  const table = /^\| option \| default \|[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)*)/m.exec(text)?.[1];
  if (table === undefined) return [{ file: FILE, message: "It has no table of defaults: one that begins | option | default |" }];
  const found = new Map([...table.matchAll(/^\| `(\w+)` \| ([^|]*?) \|/gm)].map((match) => [match[1]!, match[2]!]));
  const wanted = new Map<string, string>();
  const problems: Problem[] = [];
  for (const key of Object.keys(ROWS) as (keyof FunctionOptions)[]) {
    const [option, show] = ROWS[key] as readonly [string, (value: unknown) => string];
    const shown = show(defaults[key]);
    wanted.set(option, shown);
    const row = found.get(option);
    if (row === undefined) problems.push({ file: FILE, message: `${option} has no row: add | \`${option}\` | ${shown} | … |` });
    else if (row !== shown)
      problems.push({ file: FILE, message: `The default of ${option} is ${shown} (${key} in packages/protocol/src/options.ts), but its row says ${row}` });
  }
  for (const option of found.keys()) if (!wanted.has(option)) problems.push({ file: FILE, message: `There is no option ${option}: remove its row` });
  return problems;
}
