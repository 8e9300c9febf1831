import type { QueueRules } from "./history.ts";

/** What the app below says of its functions, for the check. */
export const CHAOS_QUEUES: Readonly<Record<string, QueueRules>> = {
  work: { maxRetries: 12, hasCallback: false },
  keyed: { maxRetries: 12, hasCallback: true },
  risky: { maxRetries: 3, hasCallback: true },
  picky: { maxRetries: 3, hasCallback: false },
  tick: { maxRetries: 12, hasCallback: false },
};

export interface ChaosAppOptions {
  /** Makes it another version. */
  readonly revision: number;
  readonly witnessPort: number;
  readonly callbackUrl: string;
}

/** The app that is deployed, as source. Each handler says to the witness that it begins, and waits until it was heard. */
export function chaosApp({ revision, witnessPort, callbackUrl }: ChaosAppOptions): string {
  const retries = (name: keyof typeof CHAOS_QUEUES): string => `{ maxRetries: ${CHAOS_QUEUES[name]!.maxRetries}, initialDelay: 0.05, maxDelay: 0.4 }`;
  const small = `cpu: "100m", memory: "96Mi", startupTimeout: 60`;
  return `
import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { App, schedule, taskQueue } from "samovar";
new App("chaos");
const REVISION = ${revision};

let line;
const waiting = new Map();
const openLine = () => {
  let text = "";
  const socket = connect(${witnessPort}, "127.0.0.1");
  socket.setEncoding("utf8").on("data", (chunk) => {
    text += chunk;
    const heard = text.split("\\n");
    text = heard.pop();
    for (const nonce of heard) { waiting.get(nonce)?.(); waiting.delete(nonce); }
  });
  socket.on("error", () => {});
  return socket.unref();
};
const tell = (nonce, fact) => new Promise((resolve) => {
  waiting.set(nonce, resolve);
  line ??= openLine();
  line.write(JSON.stringify({ nonce, ...fact }) + "\\n");
});
async function witnessed(seq, ctx, work) {
  const nonce = randomUUID();
  await tell(nonce, { says: "starts", seq, taskId: ctx.taskId, attempt: ctx.attempt, containerId: ctx.containerId, version: ctx.version, bornAtMs });
  try {
    await work();
  } catch (error) {
    await tell(nonce, { says: "threw" });
    throw error;
  }
  await tell(nonce, { says: "returned" });
  return { nonce, seq, revision: REVISION };
}

const bornAtMs = Date.now() - process.uptime() * 1000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const forever = () => new Promise(() => {});
const die = async (how) => {
  if (how === "exit") process.exit(3);
  process.kill(process.pid, how);
  await forever();
};
class Fatal extends Error {}
const DOES = {
  work: async ({ ms }) => { if (ms > 0) await sleep(ms); },
  flaky: async ({ times }, ctx) => { if (ctx.attempt <= times) throw new RangeError("not yet: attempt " + ctx.attempt); },
  broken: async () => { throw new RangeError("never"); },
  fatal: async () => { throw new Fatal("not worth a retry"); },
  dawdle: (_, ctx) => new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason))),
  crash: async ({ how }, ctx) => { if (ctx.attempt === 1) await die(how); },
  poison: ({ how }) => die(how),
  chain: ({ seq }) => work.put({ seq: seq + "/child", does: "work", ms: 0 }, { idempotencyKey: seq + "/child" }),
};
const handle = (input, ctx) => witnessed(input.seq, ctx, () => DOES[input.does](input, ctx));

export const work = taskQueue({ ${small}, concurrency: 8, maxContainers: 2, timeout: 60, retries: ${retries("work")} }, handle);
export const keyed = taskQueue({ ${small}, concurrency: 4, maxContainers: 2, timeout: 60, retries: ${retries("keyed")}, callbackUrl: ${JSON.stringify(callbackUrl)} }, handle);
export const risky = taskQueue({ ${small}, maxContainers: 2, timeout: 60, retries: ${retries("risky")}, callbackUrl: ${JSON.stringify(callbackUrl)} }, handle);
export const picky = taskQueue({ ${small}, maxContainers: 1, timeout: 1, retries: { ...${retries("picky")}, on: [RangeError] } }, handle);
export const tick = schedule({ ${small}, concurrency: 8, maxContainers: 1, every: "1s", overlap: "allow", catchUp: "all", timeout: 60, retries: ${retries("tick")} }, (ctx) => witnessed("tick", ctx, () => {}));
`;
}
