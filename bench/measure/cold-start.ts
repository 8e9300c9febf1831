import type { Finding } from "../finding.ts";
import { startPlainServer } from "../targets/plain-server.ts";
import { SamovarServer } from "../targets/samovar-server.ts";
import type { Progress } from "../terminal.ts";
import { bareTarget, samovarTarget, startInTurns, toColdFindings } from "./cold-starts.ts";
import type { Scope } from "./scope.ts";

/** With the process driver, beside a bare Node server that is a plain process as well. */
export async function measureColdStart(scope: Scope, progress: Progress): Promise<readonly Finding[]> {
  progress("cold starts: starting the server");
  await using cleanUp = new AsyncDisposableStack();
  const samovar = await SamovarServer.start("process");
  cleanUp.defer(() => samovar.stop());
  const targets = [samovarTarget(samovar), bareTarget("bare", 1, () => startPlainServer("bare-server"))];
  const figures = await startInTurns(targets, { turns: scope.coldStarts, what: "cold starts", progress });
  return toColdFindings({ id: "cold-start", title: "cold start, process", figures, floor: "bare" });
}
