import { setTimeout as sleep } from "node:timers/promises";
import type { Finding } from "../finding.ts";
import { startCallers } from "../load/callers.ts";
import { percentile, toSpread } from "../statistics.ts";
import { StandingServer } from "../targets/standing-server.ts";
import type { Progress } from "../terminal.ts";
import type { Scope } from "./scope.ts";

const CALLERS = 50;
/** Beyond the first answers, so that what was started too late or for nothing shows. */
const LOAD_MS = 2_000;

/** Waits as a call to a database does; a container holds one input at a time. */
const app = (name: string): string => `
import { setTimeout as sleep } from "node:timers/promises";
import { endpoint } from "samovar";
export const ${name} = endpoint({}, async () => {
  await sleep(50);
  return "done";
});
`;

/** From no caller to fifty at once, on a function that has no container: how long until all are served, and by how many containers. */
export async function measureStepLoad(scope: Scope, progress: Progress): Promise<readonly Finding[]> {
  progress("step load: starting the server");
  await using cleanUp = new AsyncDisposableStack();
  const server = await StandingServer.start();
  cleanUp.defer(() => server.stop());
  const served: number[] = [];
  const median: number[] = [];
  const started: number[] = [];
  const wasted: number[] = [];
  for (let round = 0; round < scope.rounds; round++) {
    progress(`step load: ${round + 1} of ${scope.rounds}`);
    // A function that was never measured, each time. One that is deployed with a container keeps one for a while.
    const name = `step${round}`;
    await server.deploy(app(name), ["--no-wait"]);
    const callers = startCallers({ url: server.endpoint(name), token: server.token, callers: CALLERS });
    await callers.served;
    await sleep(LOAD_MS);
    const report = await callers.stop();
    if (report.failures.length > 0) throw new Error(`Calls failed under a step load: ${report.failures[0]}`);
    const containers = await server.containers(name);
    served.push(Math.max(...report.firstMs));
    median.push(percentile(report.firstMs, 0.5));
    started.push(containers.length);
    wasted.push(containers.filter((container) => container.inputs.done === 0).length);
    await server.delete(name);
  }
  const figure = (id: string, title: string, unit: Finding["unit"], values: readonly number[]): Finding => ({
    id,
    title,
    unit,
    figures: { samovar: toSpread(values) },
    judged: null,
    aim: null,
  });
  return [
    figure("step-served", `0 → ${CALLERS} callers, until all are served`, "ms", served),
    figure("step-median", "  until half of them are", "ms", median),
    figure("step-started", "  containers started", "", started),
    figure("step-wasted", "  of them without work", "", wasted),
  ];
}
