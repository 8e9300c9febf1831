import {
  App,
  BatchError,
  Client,
  cls,
  endpoint,
  fn,
  method,
  schedule,
  TaskHandle,
  taskQueue,
  verifyCallback,
  type Batch,
  type CallbackBody,
  type TaskChange,
  type TaskInfo,
  type TaskStatus,
} from "samovar";
import { z } from "zod";

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const chk = <T extends true>() => {};

// taskQueue
const q = taskQueue(
  { onStart: () => ({ n: 1 }), retries: 5, ttl: "1h", keepResults: "30d", callbackUrl: "https://example.com" },
  async (order: { id: number }, ctx) => {
    chk<Eq<typeof ctx.callbackUrl, string | null>>();
    return { id: order.id, n: ctx.onStartValue.n };
  },
);
chk<Eq<ReturnType<typeof q.put>, Promise<TaskHandle<{ id: number; n: number }>>>>();
chk<Eq<ReturnType<typeof q.putMany>, Promise<TaskHandle<{ id: number; n: number }>[]>>>();
chk<Eq<ReturnType<typeof q.local>, Promise<{ id: number; n: number }>>>();
q.put({ id: 1 }, { delay: "5m", priority: -1, ttl: 5, idempotencyKey: "k", concurrencyKey: "c", signal: new AbortController().signal });
q.putMany([{ id: 1 }], { delay: 5 });
q.putMany(
  (async function* () {
    yield { id: 1 };
  })(),
  (order, i) => (i > 0 ? { idempotencyKey: String(order.id) } : undefined),
);
q.updateAutoscaler({ minContainers: 1 });
q.keepWarm(1);
// @ts-expect-error wrong input
q.put({ id: "1" });
// @ts-expect-error no input
q.put();
// @ts-expect-error not an option
q.put({ id: 1 }, { dely: 5 });
// @ts-expect-error not a duration
q.put({ id: 1 }, { delay: "soon" });
// @ts-expect-error one key for all
q.putMany([{ id: 1 }], { idempotencyKey: "k" });
// @ts-expect-error a queue isn't called
q.remote({ id: 1 });
// @ts-expect-error a queue is put to
q.spawn({ id: 1 });
// @ts-expect-error wrong inputs
q.putMany([{ id: "1" }]);

// the handler alone
const alone = taskQueue((x: string, ctx) => x.length + ctx.attempt);
chk<Eq<ReturnType<typeof alone.put>, Promise<TaskHandle<number>>>>();
alone.put("x");
const nothing = taskQueue(() => 1);
nothing.put();
nothing.put(undefined, { delay: 1 });
const stream = taskQueue({}, async function* (x: number) {
  yield x;
});
// @ts-expect-error a stream would be read by nobody
stream.put(1);
const batched = taskQueue({ batch: { maxBatchSize: 8, wait: 1 } }, (xs: Batch<string>) => xs.map((x) => (x ? x.length : new BatchError("empty"))));
chk<Eq<ReturnType<typeof batched.put>, Promise<TaskHandle<number>>>>();
batched.put("one");
const checked = taskQueue({ input: z.object({ n: z.coerce.number() }) }, (input) => input.n);
chk<Eq<Parameters<typeof checked.put>[0], { n: unknown }>>();
chk<Eq<ReturnType<typeof checked.put>, Promise<TaskHandle<number>>>>();
// @ts-expect-error not an option of this kind
taskQueue({ when: "@daily" }, () => 1);
// @ts-expect-error unknown option
taskQueue({ keepResult: "1d" }, () => 1);

// schedule
const s = schedule({ when: "0 9 * * MON-FRI", timezone: "Europe/Berlin", overlap: "queue", catchUp: "all", onStart: async () => "s" }, async (ctx) => {
  chk<Eq<typeof ctx.scheduledAt, Date>>();
  chk<Eq<typeof ctx.onStartValue, string>>();
  return ctx.attempt;
});
chk<Eq<ReturnType<typeof s.spawn>, Promise<TaskHandle<number>>>>();
chk<Eq<ReturnType<typeof s.local>, Promise<number>>>();
s.spawn();
s.local(new Date(0));
s.keepWarm(0);
schedule({ every: "5m", catchUp: false }, () => {});
// @ts-expect-error neither
schedule({}, () => {});
// @ts-expect-error both
schedule({ when: "@daily", every: "5m" }, () => {});
// @ts-expect-error every is the same in all zones
schedule({ every: "5m", timezone: "UTC" }, () => {});
// @ts-expect-error not a word of overlap
schedule({ every: "5m", overlap: "wait" }, () => {});
// @ts-expect-error it has no input
schedule({ every: "5m" }, (input: number, ctx: object) => [input, ctx]);
// @ts-expect-error it has no input schema
schedule({ every: "5m", input: z.string() }, () => {});
// @ts-expect-error it is not called
s.remote();

// spawn
const f = fn({}, (x: number) => String(x));
chk<Eq<ReturnType<typeof f.spawn>, Promise<TaskHandle<string>>>>();
chk<Eq<ReturnType<typeof f.spawnMap>, Promise<TaskHandle<string>[]>>>();
f.spawn(1, { idempotencyKey: "k" });
f.spawnMap([1, 2], (x) => ({ idempotencyKey: `k${x}` }));
// @ts-expect-error wrong input
f.spawn("1");
const g = fn({}, function* (x: number) {
  yield x;
});
// @ts-expect-error a generator's result is a stream
g.spawn(1);
const e = endpoint({}, (x: { a: string }) => x.a);
chk<Eq<ReturnType<typeof e.spawn>, Promise<TaskHandle<string>>>>();
class Model {
  readonly size: string;
  constructor(size = "small") {
    this.size = size;
  }
  @method() predict(x: number) {
    return x;
  }
  @method() ping() {
    return "pong";
  }
  @method() *tokens(x: string) {
    yield x;
  }
}
const m = cls(Model);
chk<Eq<ReturnType<typeof m.predict.spawn>, Promise<TaskHandle<number>>>>();
m.with("large").predict.spawnMap([1]);
m.ping.spawn(undefined, { delay: 1 });
m.ping.remote(undefined, { signal: new AbortController().signal });
// @ts-expect-error a generator's result is a stream
m.tokens.spawn("x");

// handles
const task = TaskHandle.fromId<string>("tk_1");
chk<Eq<ReturnType<typeof task.get>, Promise<string>>>();
chk<Eq<ReturnType<typeof task.status>, Promise<TaskStatus>>>();
chk<Eq<ReturnType<typeof task.info>, Promise<TaskInfo>>>();
chk<Eq<ReturnType<typeof task.cancel>, Promise<boolean>>>();
task.get({ timeout: "30s", signal: new AbortController().signal });
// @ts-expect-error a result is asked for with a timeout
task.get({ wait: 5 });

// app, client
const app = new App("tasks", { retries: 1, callbackUrl: "https://example.com", keepResults: "1d" });
const aq = app.taskQueue({}, (x: number) => x);
const as = app.schedule({ every: 60 }, () => 1);
chk<Eq<ReturnType<typeof aq.put>, Promise<TaskHandle<number>>>>();
// @ts-expect-error a function's, not an app's
new App("x", { when: "@daily" });
const client = new Client({ url: "http://127.0.0.1:8700" });
const remote = client.app<{ q: typeof q; f: typeof f; m: typeof m; s: typeof s; as: typeof as; other: number }>("tasks");
chk<Eq<keyof typeof remote, "q" | "f" | "m" | "s" | "as">>();
chk<Eq<ReturnType<typeof remote.q.put>, Promise<TaskHandle<{ id: number; n: number }>>>>();
const known = client.task<number>("tk_1");
chk<Eq<ReturnType<typeof known.result>, Promise<number>>>();
chk<Eq<ReturnType<typeof known.events>, AsyncIterable<TaskChange>>>();
known.result({ wait: "5s" });
known.result({ wait: false });
const submitted: Promise<{ id: string }> = client.deployment("q").submit<number>({ id: 1 }, { delay: 5 });
const requested: Promise<number> = client.function("fn_1").request<number>(1, { method: "run", with: ["large"] });
// @ts-expect-error not an option
client.deployment("q").submit(1, { dely: 5 });

// callbacks
const event: CallbackBody = verifyCallback({ body: "", headers: new Headers(), secret: "whsec_x" });
verifyCallback({ body: new Uint8Array(), headers: { "webhook-id": "1", other: ["a"], none: undefined }, secret: ["whsec_a", "whsec_b"], tolerance: "1m" });
// @ts-expect-error what was parsed has lost its signature
verifyCallback({ body: {}, headers: {}, secret: "whsec_x" });
export { submitted, requested, event };
