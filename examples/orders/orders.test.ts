import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { CallbackBody } from "samovar";
import { failOnLeaks } from "@samovar/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createReceiver } from "./receiver.ts";

const APP = fileURLToPath(new URL("app.ts", import.meta.url));
const SAMOVAR = fileURLToPath(new URL("../../node_modules/.bin/samovar", import.meta.url));

const folder = failOnLeaks();
const events: CallbackBody[] = [];
const arrived = Promise.withResolvers<void>();
let receiver: Server;
let port = 0;

beforeEach(async () => {
  await samovar("up", "-d", "--port", "0");
  const secret = (await samovar("callback", "secret", "--app", "shop")).trim();
  receiver = createReceiver(secret, (event) => {
    if (events.push(event) === 4) arrived.resolve();
  }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  ({ port } = receiver.address() as { port: number });
});
afterEach(async () => {
  await samovar("down");
  receiver.closeAllConnections();
  receiver.close();
});

async function samovar(...args: string[]): Promise<string> {
  const env = { ...process.env, SAMOVAR_HOME: folder(), SAMOVAR_URL: undefined, SAMOVAR_TOKEN: undefined, SHOP_CALLBACK_URL: `http://127.0.0.1:${port}/done` };
  const { stdout } = await promisify(execFile)(process.execPath, [SAMOVAR, ...args], { env });
  return stdout;
}

test("orders are done once, tried again where that helps, and told to the receiver", async () => {
  expect((await samovar("run", APP)).split("\n").slice(0, 6)).toEqual([
    "4 orders, 3 tasks",
    "paid 500 cents at attempt 1",
    "paid 700 cents at attempt 2",
    "paid 500 cents at attempt 1",
    "CardDeclined: No card pays -1 cents",
    "Report written:",
  ]);
  await arrived.promise;
  expect(events.map(({ type, data }) => `${type} ${data.function} ${data.attempts.length}`).toSorted()).toEqual([
    "task.completed orders 1",
    "task.completed orders 2",
    "task.completed report 1",
    "task.failed orders 1",
  ]);
});

/** The lines of one console block of the README, each with what it prints there. */
function readConsole(heading: string): string[] {
  const section = readFileSync(new URL("../../README.md", import.meta.url), "utf8")
    .split(`### ${heading}\n`)[1]!
    .split("\n### ")[0]!;
  const block = /```console\n([\s\S]*?)```/.exec(section)![1]!;
  return block.split("\n").flatMap((line) => (line.startsWith("$ ") ? [line.slice(2)] : []));
}

/** Needed for the lines as they stand: apt-get install curl. */
const HAS_CURL = spawnSync("curl", ["--version"]).status === 0;

// Skipped where the machine has no curl.
test.skipIf(!HAS_CURL)("the README's lines about queues do what they say, typed one after another", async () => {
  const { url } = JSON.parse(await samovar("status", "--json")) as { url: string };
  const token = readFileSync(join(folder(), "admin-token"), "utf8").trim();
  const env = { ...process.env, SAMOVAR_HOME: folder(), SAMOVAR_URL: undefined, SAMOVAR_TOKEN: undefined, TOKEN: token };
  const aside = await mkdtemp(join(tmpdir(), "samovar-readme-"));
  const printed: string[] = [];
  let taskId = "";
  try {
    for (const line of readConsole("Queue it")) {
      const here = line.replace("npx samovar", `"${process.execPath}" "${SAMOVAR}"`).replaceAll("http://127.0.0.1:8700", url);
      const command = here.replace(/tk_\w+/, taskId).replace("tasks.tar", join(aside, "tasks.tar"));
      const { stdout } = await promisify(execFile)("sh", ["-ec", command], { env, cwd: fileURLToPath(new URL("../..", import.meta.url)) });
      taskId ||= /tk_\w+/.exec(stdout)?.[0] ?? "";
      printed.push(stdout);
    }
    expect(printed[0]).toMatch(/orders +taskqueue +1 [\s\S]*report +schedule +1 /);
    expect(printed.slice(1, 3)).toEqual([`{"taskId":"${taskId}"}`, '{"paid":500,"attempt":1}']);
    expect(await samovar("callback", "list", "--json")).toBe('{"callbacks":[]}\n');
  } finally {
    await rm(aside, { recursive: true, maxRetries: 5 });
  }
});
