import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { findProcesses } from "../leak-check.ts";
import { drawAction, isKill, type Action } from "./actions.ts";
import { CallbackReceiver } from "./callback-receiver.ts";
import { CHAOS_QUEUES, chaosApp } from "./chaos-app.ts";
import { checkHistory } from "./check-history.ts";
import { collectTasks, waitUntilOver } from "./collect-tasks.ts";
import type { History, Violation } from "./history.ts";
import { Killer } from "./killer.ts";
import { Moments } from "./moments.ts";
import { signalAll } from "./process-tree.ts";
import { Producer } from "./producer.ts";
import { createRandom } from "./random.ts";
import { ServerApi } from "./server-api.ts";
import { ServerUnderChaos } from "./server-under-chaos.ts";
import { Witness } from "./witness.ts";

export interface ChaosOptions {
  readonly seed: number;
  /** How many times something is killed; what else the killer does comes in between. */
  readonly kills: number;
  /** Ends it before. */
  readonly maxMs: number;
  readonly driver: string;
  readonly producers: number;
  /** Between two requests of a producer. */
  readonly pauseMs: readonly [least: number, most: number];
  /** How many callbacks are refused once: each costs the wait for its next try. */
  readonly refusedCallbacks: number;
  readonly tell: (line: string) => void;
  /** Aborted, it ends everything that it started and rejects. */
  readonly signal?: AbortSignal;
}

export interface ChaosReport {
  readonly history: History;
  readonly violations: readonly Violation[];
  readonly actions: Readonly<Record<string, number>>;
  readonly deploys: { readonly done: number; readonly failed: number };
  /** Everything of the run; removed where nothing was violated. */
  readonly folder: string;
}

const SAMOVAR = fileURLToPath(new URL("../../../../node_modules/.bin/samovar", import.meta.url));
/** How long nothing may get done while tasks wait, and how long callbacks may take that were refused once. */
const STALL_MS = 90_000;
const CALLBACKS_MS = 150_000;
const FIRST: Action = { kind: "kill-server", at: "acknowledged", pauseMs: 0, againAfterMs: null };

/** Puts load on a real server, kills it and its containers at random, and then checks the history of every task. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "samovar-chaos-")));
  const home = join(folder, "home");
  const startedAtMs = Date.now();
  const tell = (line: string): void => options.tell(`${((Date.now() - startedAtMs) / 1_000).toFixed(1).padStart(7)} s  ${line}`);
  await using cleanUp = new AsyncDisposableStack();
  const { promise: aborted, reject: abort } = Promise.withResolvers<never>();
  aborted.catch(() => {});
  options.signal?.addEventListener("abort", () => abort(new Error("The chaos run was ended from outside")), { once: true });
  cleanUp.defer(() => endAll(folder));
  return await Promise.race([aborted, runIn(folder, home, startedAtMs, tell, options, cleanUp)]);
}

async function runIn(
  folder: string,
  home: string,
  startedAtMs: number,
  tell: (line: string) => void,
  options: ChaosOptions,
  cleanUp: AsyncDisposableStack,
): Promise<ChaosReport> {
  const moments = new Moments();
  const witness = cleanUp.adopt(await Witness.listen(moments), (each) => each.dispose());
  const receiver = cleanUp.adopt(await CallbackReceiver.listen(createRandom(options.seed, "receiver"), options.refusedCallbacks), (each) => each.dispose());
  const server = new ServerUnderChaos({ home, driver: options.driver });
  const api = new ServerApi(server);

  await server.start();
  const deploys = { done: 0, failed: 0 };
  const deploy = async (): Promise<void> => {
    const revision = deploys.done + deploys.failed + 1;
    const error = await deployApp({ folder, home, server, source: chaosApp({ revision, witnessPort: witness.port, callbackUrl: receiver.url }) });
    if (error === null) deploys.done++;
    else deploys.failed++;
    tell(error === null ? `revision ${revision} is deployed` : `revision ${revision} is not deployed: ${error}`);
    if (revision === 1 && error !== null) throw new Error(`The app of the chaos run can't be deployed: ${error}`);
  };
  await deploy();
  receiver.expect((await api.answered("/api/v1/callbacks/secret?app=chaos")).json.secret);

  const killer = new Killer({ home, server, api, moments, deploy, tell });
  const producers = Array.from(
    { length: options.producers },
    (_, index) => new Producer(`p${index + 1}`, options.seed, { api, moments, pauseMs: options.pauseMs }),
  );
  const producing = Promise.all(producers.map((producer) => producer.run()));
  const actions = await act(options, killer, startedAtMs + options.maxMs);
  tell("no more kills: what is left is done now");
  for (const producer of producers) producer.finish();
  await Promise.all([producing, killer.finish()]);
  tell("nothing more is put");
  await api.answered("/api/v1/schedules/tick/pause", { method: "POST" });
  await waitUntilOver(api, STALL_MS, tell);
  const tasks = await collectTasks(api);
  const told = tasks.filter((task) => CHAOS_QUEUES[task.function]?.hasCallback && task.endedAtMs !== null).map(({ id }) => id);
  await receiver.taken(told, CALLBACKS_MS);
  await server.stop();

  const history: History = {
    queues: CHAOS_QUEUES,
    puts: producers.flatMap(({ puts }) => puts),
    cancels: producers.flatMap(({ cancels }) => cancels),
    told: producers.flatMap(({ told }) => told),
    executions: witness.executions(server.lives),
    lives: server.lives,
    killedContainers: killer.killedContainers,
    deliveries: receiver.deliveries,
    tasks,
  };
  const surprises = producers.flatMap((producer) => producer.surprises.map((message) => ({ rule: "surprise", taskId: null, message })));
  const violations = [...surprises, ...checkHistory(history)];
  if (violations.length > 0) writeFileSync(join(folder, "history.json"), JSON.stringify(history, null, 1));
  else cleanUp.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return { history, violations, actions, deploys, folder };
}

async function act(options: ChaosOptions, killer: Killer, untilMs: number): Promise<Record<string, number>> {
  const random = createRandom(options.seed, "killer");
  const actions: Record<string, number> = {};
  for (let kills = 0; kills < options.kills && Date.now() < untilMs;) {
    const { afterMs, action: drawn } = drawAction(random);
    // Of a short run too it is the server that must be killed at least once.
    const action = kills === 0 ? FIRST : drawn;
    await pause(afterMs);
    await killer.act(action);
    actions[action.kind] = (actions[action.kind] ?? 0) + 1;
    if (isKill(action)) kills++;
  }
  return actions;
}

/** Null when it is deployed; else why not. */
async function deployApp({ folder, home, server, source }: { folder: string; home: string; server: ServerUnderChaos; source: string }): Promise<string | null> {
  const project = join(folder, "project");
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, "app.js"), source);
  const env = { PATH: process.env["PATH"], HOME: home, SAMOVAR_HOME: home, SAMOVAR_URL: await server.url(), SAMOVAR_TOKEN: await server.token() };
  return await new Promise((resolve) => {
    execFile(process.execPath, [SAMOVAR, "deploy", "app.js", "--json"], { cwd: project, env }, (error, _, said) =>
      resolve(error && (said.trim() || error.message)),
    );
  });
}

async function endAll(folder: string): Promise<void> {
  const left = await findProcesses(folder);
  signalAll(
    left.map(({ pid }) => pid),
    "SIGKILL",
  );
}
