import { execFile } from "node:child_process";
import { once } from "node:events";
import type { Server } from "node:http";
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
}, 120_000);
