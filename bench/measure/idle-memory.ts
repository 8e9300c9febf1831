import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Finding } from "../finding.ts";
import { memoryOf } from "../process-usage.ts";
import { toSpread } from "../statistics.ts";
import { startPlainServer } from "../targets/plain-server.ts";
import { runSamovar } from "../targets/samovar-command.ts";
import type { Progress } from "../terminal.ts";
import type { Scope } from "./scope.ts";

/** Long enough for what is done after the start to be over. */
const SETTLE_MS = 2_000;
const MB = 1_000_000;

/** A server that has just started and has nothing to do: what it keeps of the machine's memory. */
export async function measureIdleMemory(_scope: Scope, progress: Progress): Promise<readonly Finding[]> {
  progress("idle memory");
  const home = await mkdtemp(join(tmpdir(), "samovar-bench-"));
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));
  // The first start fills the cache of compiled code, and its memory shows it.
  await runSamovar(home, ["up", "-d", "--port", "0"]);
  await runSamovar(home, ["down"]);
  await runSamovar(home, ["up", "-d", "--port", "0"]);
  cleanUp.defer(() => runSamovar(home, ["down"]));
  const bare = await startPlainServer("bare-server");
  cleanUp.defer(() => bare.stop());
  await sleep(SETTLE_MS);
  const { pid } = JSON.parse(await readFile(join(home, "server.json"), "utf8")) as { pid: number };
  const ours = memoryOf(pid);
  const theirs = memoryOf(bare.pid);
  const rss = toSpread([ours.rssBytes / MB]);
  return [
    {
      id: "idle-rss",
      title: "idle server, RSS",
      unit: "MB",
      figures: { samovar: rss, bare: toSpread([theirs.rssBytes / MB]) },
      judged: { what: "MB", spread: rss },
      aim: { at: "most", value: 120 },
    },
    {
      id: "idle-pss",
      title: "idle server, PSS",
      unit: "MB",
      figures: { samovar: toSpread([ours.pssBytes / MB]), bare: toSpread([theirs.pssBytes / MB]) },
      judged: null,
      aim: null,
    },
  ];
}
