import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { renderWaterfall } from "@samovar/cli";
import type { ContainerInfo } from "@samovar/protocol";
import type { Analysis } from "./language.ts";
import { SamovarCommand } from "./samovar-command.ts";
import { bold, cyan, dim, print, width } from "./terminal.ts";

// A walk through app.ts with the `samovar` command, on an embedded server whose state lies in a temporary folder.

const APP = relative(process.cwd(), fileURLToPath(new URL("app.ts", import.meta.url)));
const TEXT =
  "On the 4th of July 1862 three sisters rowed up the river with Mr. Dodgson. Alice was delighted with the story he told; he was terribly tired by half past eight.";
const WARM_CALLS = 20;

const home = await mkdtemp(join(tmpdir(), "samovar-quickstart-"));
const samovar = new SamovarCommand(home);
const interrupted = once(process, "SIGINT").then(() => Promise.reject(new Error("Interrupted")));
interrupted.catch(() => {});
try {
  await Promise.race([walk(), interrupted]);
} finally {
  await samovar.stop();
  // The server writes its compile cache at its very end.
  await rm(home, { recursive: true, force: true, maxRetries: 10 });
}
// An interrupted walk may still have a command under way.
process.exit();

async function walk(): Promise<void> {
  step("Serve the app", `samovar serve ${APP}`);
  const serving = await samovar.serve(APP);
  for (const [name, url] of serving) print(`  ${name.padEnd(20)}  ${cyan(url)}`);

  const url = serving.get("analyze-dev")!;
  step("Call its endpoint over HTTP", `curl ${url} -H "authorization: Bearer $TOKEN" -d '{"text":"On the 4th of July…"}'`);
  await callEndpoint(url);

  step("Fan out over a book, and stream", `samovar run ${APP}`);
  await samovar.run(["run", APP], (line) => print(`  ${line}`));

  step("See what each container did", "samovar container inspect ID");
  await showLives();

  print(`\n${bold("All of it worked.")} Nothing runs any more, and ${home} is removed. Now try:`);
  for (const [command, what] of [
    [`npx samovar serve ${APP}`, "then edit it: it reloads"],
    [`npx samovar run ${APP} "White Rabbit"`, "another biography, in a container of its own"],
    ["npx samovar run examples/hello/app.ts", "ten lines to start from"],
  ] as const) {
    print(`  ${command.padEnd(60)} ${dim(what)}`);
  }
}

interface Answer {
  readonly ms: number;
  readonly headers: Headers;
  readonly analysis: Analysis;
}

/** Once cold, then warm on the container that is there. */
async function callEndpoint(url: string): Promise<void> {
  const token = (await readFile(join(home, "admin-token"), "utf8")).trim();
  const call = async (): Promise<Answer> => {
    const startedMs = performance.now();
    const response = await fetch(url, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ text: TEXT }),
    });
    const body = await response.text();
    if (!response.ok) throw new Error(`${url} answered ${response.status}: ${body}`);
    return { ms: performance.now() - startedMs, headers: response.headers, analysis: JSON.parse(body) as Analysis };
  };
  // So that what is measured is Samovar, and not the first use of fetch.
  await (await fetch(new URL("/livez", url))).text();

  const cold = await call();
  const warm: Answer[] = [];
  for (let i = 0; i < WARM_CALLS; i++) warm.push(await call());
  const median = warm.toSorted((a, b) => a.ms - b.ms)[WARM_CALLS / 2]!;

  const { sentiment, sentences, entities } = cold.analysis;
  print(
    `  sentiment ${sentiment}   ${sentences.map((sentence) => `${sentence.sentiment < 0 ? "☹" : sentence.sentiment > 0 ? "☺" : "·"} "${sentence.text.slice(0, 30)}…"`).join("  ")}`,
  );
  print(`  entities  ${entities.map((entity) => `${entity.value} (${entity.type.toLowerCase()})`).join(", ")}`);
  for (const [name, { ms, headers }] of Object.entries({ "cold     ": cold, [`warm × ${WARM_CALLS}`]: median })) {
    print(
      `  ${name} ${bold(`${ms.toFixed(1).padStart(6)} ms`)}  ${dim(`x-samovar-cold-start: ${headers.get("x-samovar-cold-start")}  server-timing: ${headers.get("server-timing")}`)}`,
    );
  }
}

/** Those of the run have ended with it; the endpoint's is stopped, so that its whole life is there to see. */
async function showLives(): Promise<void> {
  for (const { id } of await listContainers([])) await samovar.run(["container", "stop", id]);
  while ((await listContainers([])).length > 0);
  for (const container of (await listContainers(["--all"])).toSorted((a, b) => a.startedAtMs - b.startedAtMs)) {
    const { parameters, inputs } = container;
    print(
      `  ${cyan(`${container.function}${parameters.length > 0 ? JSON.stringify(parameters) : ""}`)} ${dim(`${container.id}, ${inputs.done} ${inputs.done === 1 ? "input" : "inputs"}, ended: ${container.reason}`)}`,
    );
    for (const line of renderWaterfall(container, { width: width - 4, color: process.stdout.isTTY }).split("\n")) if (line !== "") print(`    ${line}`);
  }
}

async function listContainers(flags: readonly string[]): Promise<readonly ContainerInfo[]> {
  const answer = JSON.parse(await samovar.run(["container", "list", "--json", ...flags])) as { containers: readonly ContainerInfo[] };
  return answer.containers;
}

function step(title: string, command: string): void {
  print(`\n${bold(title)}  ${dim(`$ ${command}`)}`);
}
