import { APP_LIFELINE } from "./lifelines.fixture.ts";

/**
 * An app that does everything wrong that an app can do. Its limits are long where what they cut must have begun before,
 * which takes its time on a machine that is busy.
 */
export const FAULTS_APP = `
import { App, context, endpoint, env, fn, method, onStart } from "samovar";
${APP_LIFELINE}
const named = {
  "~standard": {
    version: 1,
    vendor: "by hand",
    validate(value) {
      const issues = [];
      if (typeof value?.name !== "string") issues.push({ message: "Expected a string", path: ["name"] });
      const times = Number(value?.times ?? 1);
      if (!Number.isInteger(times)) issues.push({ message: "Expected an integer", path: ["times"] });
      return issues.length > 0 ? { issues } : { value: { name: value.name, times } };
    },
  },
};
const forever = () => new Promise(() => {});
const spin = () => { for (;;); };

export const echo = endpoint({ concurrency: 100, scaledownWindow: -1 }, async (input) => input);
export const greet = endpoint({ input: named }, async ({ name, times }) => ({ hello: Array(times).fill(name).join(" ") }));
export const throwing = endpoint({}, async (what) => {
  if (what === "object") throw { some: "thing" };
  if (what === "string") throw "just text";
  throw undefined;
});
class Point { x = 1; }
export const unsendable = endpoint({}, async (kind) => {
  const cycle = {};
  cycle.inner = { cycle };
  return { cycle, class: { list: [new Point()] }, map: { map: new Map() }, bigint: { n: 1n }, date: { at: new Date(0) } }[kind];
});
export const never = endpoint({ timeout: 5, concurrency: 2, onStart: async () => void lifeline("never") }, async (input) => {
  if (input === "hang") await forever();
  return who();
});
export const block = endpoint({ timeout: 5, concurrency: 4, onStart: async () => void lifeline("block") }, async (input) => {
  if (input === "block") { console.log("about to block"); console.log("the last words"); spin(); }
  return who();
});
export const exit = endpoint({ concurrency: 2, onStart: async () => void lifeline("exit") }, async (code) => {
  if (code < 0) return who();
  console.log("about to exit");
  process.exit(code);
});
export const crash = endpoint({}, async (signal) => {
  process.kill(process.pid, signal);
  await forever();
});
export const garbage = endpoint({ onStart: async () => void lifeline("garbage") }, async (hex) => {
  // The runner's own connection is the one over a Unix socket.
  const [socket] = process._getActiveHandles().filter((handle) => handle.constructor.name === "Socket" && !handle.connecting && handle.readable && handle.writable && !handle.remoteAddress);
  if (hex !== "") socket.write(Buffer.from(hex, "hex"));
  if (hex !== "") await forever();
  return "sane";
});
export const stray = endpoint({}, async (how) => {
  if (how === "throw") setTimeout(() => { throw new Error("stray throw"); });
  else void Promise.reject(new Error("stray rejection"));
  await forever();
});
export const oom = endpoint({ memory: "160Mi" }, async () => {
  const all = [];
  for (;;) {
    all.push(Buffer.alloc(8 << 20, 1));
    await new Promise((turn) => setImmediate(turn));
  }
});
export const items = endpoint({ concurrency: 10 }, async function* (input) {
  let produced = 0;
  try {
    for (; produced < input.count; produced++) yield { i: produced, pad: "x".repeat(10_000) };
  } finally {
    await lifeline("items " + (produced < 1_000 ? "few" : "many") + (context().signal.aborted ? " aborted" : ""));
  }
});
export const broken = endpoint({}, async function* () { yield 1; yield 2; throw new RangeError("midway"); });
export const badStart = endpoint({ onStart: () => { console.log("looking for the model"); throw new Error("no model here"); } }, async () => 1);
export const exitStart = endpoint({ onStart: () => process.exit(4) }, async () => 1);
export const hangStart = endpoint({ startupTimeout: 15, onStart: forever }, async () => 1);
// It spins for all of that time: on little of the machine.
export const blockStart = endpoint({ startupTimeout: 15, cpu: "250m", onStart: spin }, async () => 1);
export const hangStop = endpoint({ stopGracePeriod: 1, onStart: async () => void lifeline("hangStop"), onStop: forever }, async () => 1);
// Worker 1 waits in its start while worker 0 takes inputs already.
export const early = endpoint({ workers: 2, onStart: async (ctx) => { if (ctx.workerIndex === 1) await lifeline("early"); } }, async (code) => {
  if (code >= 0) process.exit(code);
  return "fine";
});
export const slow = fn({ name: "slow" }, async (input, ctx) => {
  if (input === "warm") return;
  await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
  await lifeline("slow aborted");
});
export const held = endpoint({ onStop: async (ctx) => lifeline("held stops: " + ctx.reason) }, async () => {
  await lifeline("held runs");
  return "released";
});
class Model {
  size;
  constructor(size = "small") { this.size = size; }
  @onStart() protected load() {}
  @method() predict(x) { return { size: this.size, x }; }
}
export const model = new App("faults").cls(Model);
`;
