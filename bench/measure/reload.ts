import { readFile, writeFile } from "node:fs/promises";
import type { Finding } from "../finding.ts";
import { toSpread } from "../statistics.ts";
import { SamovarServer } from "../targets/samovar-server.ts";
import type { Progress } from "../terminal.ts";
import type { Scope } from "./scope.ts";

/**
 * From writing an edit to the first answer of the new code, as somebody who reloads a page again and again would
 * see it: the new container's cold start is in it.
 */
export async function measureReload(scope: Scope, progress: Progress): Promise<readonly Finding[]> {
  progress("reload: starting the server");
  await using cleanUp = new AsyncDisposableStack();
  const samovar = await SamovarServer.start();
  cleanUp.defer(() => samovar.stop());
  const source = await readFile(samovar.appFile, "utf8");
  await samovar.greet("hello");

  const times: number[] = [];
  for (let edit = 0; edit <= scope.edits; edit++) {
    progress(`reload: ${edit} of ${scope.edits}`);
    const greeting = `Edit ${edit}`;
    const startedMs = performance.now();
    await writeFile(samovar.appFile, source.replaceAll("Hello", greeting));
    while (!(await samovar.greet("hello")).startsWith(`${greeting},`));
    // The first edit is thrown away: it reads what the others find in memory.
    if (edit > 0) times.push(performance.now() - startedMs);
  }
  const spread = toSpread(times);
  return [
    {
      id: "reload",
      title: "reload, edit to new answer",
      unit: "ms",
      figures: { samovar: spread },
      judged: { what: "ms", spread },
      aim: { at: "most", value: 1_000 },
    },
  ];
}
