import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs, styleText } from "node:util";
import { judge, type Finding } from "./finding.ts";
import { describeSetting } from "./machine.ts";
import { measureDeploys } from "./measure/deploys.ts";
import { measureStepLoad } from "./measure/step-load.ts";
import { measureColdStartOci } from "./measure/cold-start-oci.ts";
import { measureColdStart } from "./measure/cold-start.ts";
import { measureIdleMemory } from "./measure/idle-memory.ts";
import { measureReload } from "./measure/reload.ts";
import { FULL, QUICK, type Scope } from "./measure/scope.ts";
import { measureTasksMillion } from "./measure/tasks-million.ts";
import { measureTasks } from "./measure/tasks.ts";
import { measureWarmCalls } from "./measure/warm-calls.ts";
import { renderTable } from "./table.ts";
import { showProgress, type Progress } from "./terminal.ts";

const MEASUREMENTS: Readonly<Record<string, (scope: Scope, progress: Progress) => Promise<readonly Finding[]>>> = {
  calls: measureWarmCalls,
  cold: measureColdStart,
  "cold-oci": measureColdStartOci,
  reload: measureReload,
  step: measureStepLoad,
  deploys: measureDeploys,
  memory: measureIdleMemory,
  tasks: measureTasks,
  "tasks-million": measureTasksMillion,
};
/** They take longer than all the others together, and servers that aren't everywhere. */
const WHEN_ASKED: ReadonlySet<string> = new Set(["tasks", "tasks-million"]);

const USAGE = `npm run bench -- [--quick] [--only ${Object.keys(MEASUREMENTS).join(",")}] [--save NAME]`;

const options = readOptions();
if (process.platform !== "linux") fail("The bench reads CPU time and memory from /proc: run it on Linux");
const setting = describeSetting();
const { machine, versions } = setting;
process.stdout.write(`${machine.cores} × ${machine.cpu}, ${machine.kernel}, Node ${versions.node}, commit ${versions.commit}\n`);
if (setting.loadBefore > 0.5) process.stdout.write(styleText("yellow", `The machine is busy (load ${setting.loadBefore}): ratios hold better than figures\n`));

const scope = options.quick ? QUICK : FULL;
const startedAt = new Date();
const findings: Finding[] = [];
for (const name of options.only) findings.push(...(await MEASUREMENTS[name]!(scope, showProgress)));
showProgress("");
process.stdout.write(`\n${renderTable(findings, (verdict, text) => styleText(verdict === "met" ? "green" : "red", text, { stream: process.stdout }))}`);
const file = save();
process.stdout.write(`\nFigures are medians of the rounds; ratios and differences are taken within each round. ${file}\n`);
// The aims are not a test: a busy machine must not fail a build.
process.exit(0);

function readOptions(): { readonly quick: boolean; readonly only: readonly string[]; readonly save: string | undefined } {
  try {
    const { values } = parseArgs({ options: { quick: { type: "boolean", default: false }, only: { type: "string" }, save: { type: "string" } } });
    const only = values.only?.split(",") ?? Object.keys(MEASUREMENTS).filter((name) => !WHEN_ASKED.has(name));
    const unknown = only.find((name) => !Object.hasOwn(MEASUREMENTS, name));
    if (unknown !== undefined) fail(`There is no measurement ${JSON.stringify(unknown)}`);
    if (values.save !== undefined && !/^[\w-]+$/.test(values.save)) fail(`--save takes a name of letters, digits, - and _, not ${JSON.stringify(values.save)}`);
    return { quick: values.quick, only, save: values.save };
  } catch (error) {
    return fail((error as Error).message);
  }
}

/** Tracked with --save, else ignored by git. */
function save(): string {
  const folder = join(import.meta.dirname, "results");
  const name = options.save ?? `${startedAt.toISOString().slice(0, 19).replaceAll(":", "")}.local`;
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.json`);
  const verdicts = findings.map((finding) => ({ ...finding, verdict: judge(finding) || null }));
  writeFileSync(
    path,
    `${JSON.stringify({ startedAt: startedAt.toISOString(), tookMs: Date.now() - startedAt.getTime(), quick: options.quick, scope, ...setting, findings: verdicts }, null, 2)}\n`,
  );
  return path;
}

function fail(message: string): never {
  process.stderr.write(`error: ${message}\n  → ${USAGE}\n`);
  process.exit(1);
}
