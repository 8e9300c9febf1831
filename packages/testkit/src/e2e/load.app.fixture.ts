import { APP_LIFELINE } from "./lifelines.fixture.ts";

/** Functions that take or give much, and that call each other. */
export const LOAD_APP = `
import { context, endpoint, env, fn } from "samovar";
${APP_LIFELINE}
import { writeSync } from "node:fs";
export const cold = endpoint({}, async (i) => ({ i, pid: process.pid }));
export const count = endpoint({}, async (_input, ctx) => {
  let bytes = 0;
  for await (const chunk of ctx.request.body) bytes += chunk.length;
  return bytes;
});
export const produce = endpoint({}, async (mib) => {
  let left = mib * 16;
  return new Response(new ReadableStream({ pull(c) { left-- > 0 ? c.enqueue(new Uint8Array(64 * 1024)) : c.close(); } }));
});
export const upper = endpoint({}, async function* (_input, ctx) {
  for await (const chunk of ctx.request.body) yield Buffer.from(chunk).toString("utf8").toUpperCase();
});
export const flood = endpoint({}, async (lines) => {
  const text = "x".repeat(1_000);
  for (let i = 0; i < lines; i++) {
    console.log(i, text);
    if (i % 1_000 === 0) await new Promise((turn) => setImmediate(turn));
  }
  await new Promise((turn) => setTimeout(turn, 50));
  console.log("the last line");
  return { rssMib: process.memoryUsage.rss() / 1048576 };
});
export const rawFlood = endpoint({}, async (mib) => {
  const block = Buffer.from(("y".repeat(1_023) + "\\n").repeat(1_024));
  for (let i = 0; i < mib; i++) for (let at = 0; at < block.length; ) {
    try { at += writeSync(1, block, at); } catch (error) { if (error.code !== "EAGAIN") throw error; }
  }
  return { rssMib: process.memoryUsage.rss() / 1048576 };
});
export const add = fn({ concurrency: 8 }, async (n) => n + 1);
export const gen = fn({}, async function* (n) { for (let i = 0; i < n; i++) yield { at: new Date(i) }; });
export const failing = fn({}, async () => { throw new TypeError("inner", { cause: new Error("deeper") }); });
export const outer = endpoint({}, async (n) => ({ sum: await add.remote(n), remote: env.isRemote() }));
export const mapper = endpoint({}, async (n) => {
  const out = [];
  for await (const value of add.map(Array.from({ length: n }, (_, i) => i))) out.push(value);
  return { n: out.length, ordered: out.every((value, i) => value === i + 1) };
});
export const streamer = endpoint({}, async function* (n) {
  for await (const item of gen.stream(n)) yield { ms: item.at.getTime() };
});
export const early = endpoint({}, async () => { for await (const item of gen.stream(1_000_000)) return item.at.toISOString(); });
export const catcher = endpoint({}, async () => {
  try { await failing.remote(undefined); } catch (error) {
    return { name: error.name, message: error.message, cause: error.cause.message, place: /app\\.ts:\\d+/.exec(error.stack)?.[0] };
  }
});
export const where = endpoint({}, async (_input, ctx) => {
  await null;
  const same = context();
  return { same: same.taskId === ctx.taskId, kind: same.functionKind, remote: env.isRemote(), worker: same.workerIndex };
});
let running = 0;
let most = 0;
export const four = endpoint({ workers: 4, concurrency: 2, maxContainers: 1 }, async (_input, ctx) => {
  most = Math.max(most, ++running);
  await lifeline("four");
  running--;
  return { worker: ctx.workerIndex, most };
});
export default async function main() {
  let sum = 0;
  for await (const value of add.map(Array.from({ length: 1_000 }, (_, i) => i))) sum += value;
  console.log(sum);
}
`;
