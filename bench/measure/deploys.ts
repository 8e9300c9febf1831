import type { Finding } from "../finding.ts";
import { startCallers } from "../load/callers.ts";
import { toSpread } from "../statistics.ts";
import { StandingServer } from "../targets/standing-server.ts";
import { say, type Progress } from "../terminal.ts";
import type { Scope } from "./scope.ts";

const CALLERS = 8;

const app = (version: number): string => `
import { endpoint } from "samovar";
export const page = endpoint({ concurrency: 4, onStart: () => "made ${version}" }, (_input, ctx) => ctx.onStartValue);
`;

/** New versions of a function that is being called all the time: each call has to be answered. */
export async function measureDeploys(scope: Scope, progress: Progress): Promise<readonly Finding[]> {
  progress("deploys: starting the server");
  await using cleanUp = new AsyncDisposableStack();
  const server = await StandingServer.start();
  cleanUp.defer(() => server.stop());
  await server.deploy(app(0));
  const callers = startCallers({ url: server.endpoint("page"), token: server.token, callers: CALLERS });
  const took: number[] = [];
  for (let version = 1; version <= scope.deploys; version++) {
    progress(`deploys: ${version} of ${scope.deploys}`);
    const startedMs = performance.now();
    await server.deploy(app(version));
    took.push(performance.now() - startedMs);
  }
  const report = await callers.stop();
  for (const failure of new Set(report.failures)) say(`A call failed during a deploy: ${failure}`);
  const failed = toSpread([report.failures.length]);
  return [
    {
      id: "deploy-failed",
      title: `failed calls of ${report.calls.toLocaleString("en")} during ${scope.deploys} deploys`,
      unit: "",
      figures: { samovar: failed },
      judged: { what: "failed", spread: failed },
      aim: { at: "most", value: 0 },
    },
    { id: "deploy-took", title: "a deploy under load, command included", unit: "ms", figures: { samovar: toSpread(took) }, judged: null, aim: null },
    { id: "deploy-slowest", title: "  slowest call meanwhile", unit: "ms", figures: { samovar: toSpread([report.slowestMs]) }, judged: null, aim: null },
  ];
}
