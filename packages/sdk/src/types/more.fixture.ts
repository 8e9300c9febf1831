import {
  App,
  BatchError,
  Client,
  context,
  endpoint,
  env,
  fn,
  method,
  onBuild,
  onDeploy,
  onStart,
  onStop,
  QueueDepthAutoscaler,
  type Batch,
  type DeployCtx,
  type StartCtx,
  type StopCtx,
} from "samovar";
import { z } from "zod";

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const chk = <T extends true>() => {};

// endpoint
const e = endpoint({ onStart: () => ({ n: 1 }) }, async (input: { text: string }, ctx) => input.text.length + ctx.onStartValue.n);
chk<Eq<ReturnType<typeof e.request>, Promise<number>>>();
e.request({ text: "x" }, { signal: new AbortController().signal });
// @ts-expect-error no .remote
e.remote({ text: "x" });
// @ts-expect-error wrong input
e.request({ text: 1 });
const es = endpoint({}, async function* (n: number) {
  yield n;
});
chk<Eq<ReturnType<typeof es.request>, AsyncIterable<number>>>();
const er = endpoint({}, (_: string) => new Response("x"));
chk<Eq<ReturnType<typeof er.request>, Promise<never>>>();

// batch
const b = fn({ batch: { maxBatchSize: 8, wait: "10ms" } }, async (xs: Batch<string>) => xs.map((x) => (x ? x.length : new BatchError("empty"))));
chk<Eq<ReturnType<typeof b.remote>, Promise<number>>>();
chk<Eq<Parameters<typeof b.remote>[0], string>>();
const bs = fn({ batch: { maxBatchSize: 8, wait: 1 }, input: z.object({ n: z.number() }), onStart: () => 5 }, (xs, ctx) =>
  xs.map((x) => x.n + ctx.onStartValue),
);
chk<Eq<Parameters<typeof bs.remote>[0], { n: number }>>();
chk<Eq<ReturnType<typeof bs.remote>, Promise<number>>>();
// @ts-expect-error a batch handler returns a list
fn({ batch: { maxBatchSize: 8, wait: 1 } }, (xs: Batch<string>) => xs.length);
// @ts-expect-error lacks wait
fn({ batch: { maxBatchSize: 8 } }, (xs: Batch<string>) => xs);

// local, forEach
const f = fn({ retries: { maxRetries: 2, on: [RangeError, TypeError] }, autoscaler: new QueueDepthAutoscaler({ maxContainers: 2 }) }, (x: number) => String(x));
chk<Eq<ReturnType<typeof f.local>, Promise<string>>>();
chk<Eq<ReturnType<typeof f.forEach>, Promise<void>>>();
// @ts-expect-error not an option of map
f.map([1], { order: true });
// scaling
chk<Eq<ReturnType<typeof f.keepWarm>, Promise<void>>>();
e.updateAutoscaler({ minContainers: 1, maxContainers: null, bufferContainers: 1, scaledownWindow: "5m", tasksPerContainer: 2 });
// @ts-expect-error a number
e.keepWarm("1");
// @ts-expect-error only what scales
f.updateAutoscaler({ cpu: 2 });
// @ts-expect-error no floor is null
f.updateAutoscaler({ minContainers: null });

// GPUs, disk, network
fn({ gpu: "T4:2", disk: "10Gi", network: "isolated", allow: ["10.0.0.0/8"] }, () => 1);
fn({ gpu: ["H100", "any"], gpuCount: 2, disk: 512, network: { mode: "isolated", allow: ["example.com"] } }, () => 1);
fn({ network: { mode: "none" } }, () => 1);
// @ts-expect-error a number of GPUs is gpuCount
fn({ gpu: 2 }, () => 1);
// @ts-expect-error not a size
fn({ disk: "10GB" }, () => 1);
// @ts-expect-error not a mode
fn({ network: "bridge" }, () => 1);
// @ts-expect-error only an isolated network has a list
fn({ network: { mode: "host", allow: ["example.com"] } }, () => 1);
// @ts-expect-error a list
fn({ network: "isolated", allow: "example.com" }, () => 1);
// options of kinds to come
// @ts-expect-error
fn({ snapshot: true }, () => 1);
fn({ env: ["A=1"], memory: { limit: "1Gi" }, cpu: "500m", taskPolicy: { maxRetries: 1 } }, () => 1);
// @ts-expect-error not K=V
fn({ env: ["A"] }, () => 1);
fn({ onBuild: { run: () => {}, key: ["v1"] } }, () => 1);
fn({ onBuild: [() => {}, { run: (ctx) => void ctx.env.HOME }] }, () => 1);
// @ts-expect-error nothing is deployed while it is built
fn({ onBuild: (ctx) => ctx.version }, () => 1);

// decorators
class Right {
  @onBuild({ key: ["v1"] }) protected build() {}
  @onDeploy() protected static async prepare(ctx: DeployCtx) {
    return ctx.version;
  }
  @onStart() protected load(ctx: StartCtx) {
    return ctx.containerId;
  }
  @onStart() #secret() {}
  @onStop() protected close(ctx: StopCtx) {
    return ctx.reason;
  }
  @method({ timeout: "5m", input: z.number() }) run(x: number) {
    return x;
  }
}
export class Wrong {
  // @ts-expect-error a hook is not public
  @onStart() load() {}
  // @ts-expect-error a method is not protected
  @method() protected run() {}
  // @ts-expect-error a method is not private
  @method() #run() {}
  // @ts-expect-error onDeploy is static
  @onDeploy() protected prepare() {}
  // @ts-expect-error a start hook is not static
  @onStart() protected static boot() {}
  // @ts-expect-error a method is not static
  @method() static other() {}
  // @ts-expect-error without its parentheses
  @method bare() {}
  // @ts-expect-error without its parentheses
  @onStart protected bareHook() {}
  // @ts-expect-error on a field
  @method() field = 1;
  // @ts-expect-error a batch method gets a list
  @method({ batch: { maxBatchSize: 2, wait: 1 } }) one(x: number) {
    return x;
  }
}
const app = new App("more", { cpu: 2 });
const right = app.cls(Right, { name: "right", workers: 2 });
right.run.remote(1, { signal: new AbortController().signal });
// @ts-expect-error unknown option
app.cls(Right, { worker: 2 });
// @ts-expect-error options of an app have no name
new App("more", { name: "x" });

// client
const client = new Client({ url: "http://127.0.0.1:8700", token: "t" });
const module = client.app<{ e: typeof e; b: typeof b; right: typeof right; other: number }>("more");
chk<Eq<keyof typeof module, "e" | "b" | "right">>();
chk<Eq<ReturnType<typeof module.e.request>, Promise<number>>>();

chk<Eq<ReturnType<typeof env.isRemote>, boolean>>();
const task: string = context().taskId;
export { task };
