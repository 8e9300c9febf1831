import { method, onBuild, onStart, onStop, onDeploy, App, Client, type Batch, type Ctx } from "samovar";
type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const chk = <T extends true>() => {};
class Base {
  @onStart() protected async boot() {}
  @method() ping() {
    return "pong" as const;
  }
}
export class Model extends Base {
  n = 0;
  constructor(readonly size: "small" | "large" = "small") {
    super();
  }
  @onDeploy() static async prepare(ctx: Ctx) {
    return ctx.version;
  }
  @onBuild() @onStart({ snapshot: true }) protected load() {
    this.n++;
  }
  @method() predict(x: number): number {
    return x + this.n;
  }
  @method() opt(x?: number) {
    return x;
  }
  @method() async *tokens(prompt: string, ctx: Ctx) {
    yield prompt + ctx.taskId;
  }
  @method({ route: "/http" }) http(input: { x: number }, ctx: Ctx) {
    return { y: input.x + ctx.version };
  }
  @method({ batch: { maxBatchSize: 8, wait: "5ms" } }) async classify(xs: Batch<string>, ctx: Ctx) {
    return xs.map((x) => x.length + ctx.version);
  }
  @method() arr(xs: string[]) {
    return xs.length;
  }
  protected helper() {
    return 1;
  }
  @onStop() protected override async boot() {}
}
const app = new App("m");
export const model = app.cls(Model, { cpu: 1 });
chk<Eq<keyof typeof model, "with" | "updateAutoscaler" | "keepWarm" | "ping" | "predict" | "opt" | "tokens" | "http" | "classify" | "arr">>();
const p: Promise<number> = model.predict.remote(1);
const pp: Promise<"pong"> = model.ping.remote();
const po: Promise<number | undefined> = model.opt.remote();
const pm: AsyncIterable<number> = model.predict.map([1, 2, 3]);
const st: AsyncIterable<string> = model.with("large").tokens.stream("x");
const cl: Promise<number> = model.classify.remote("one");
const ar: Promise<number> = model.arr.remote(["one"]);
const h: Promise<{ y: number }> = model.http.remote({ x: 1 });
// @ts-expect-error
model.classify.remote(["one"]);
// @ts-expect-error
model.http.remote({ x: 1 }, {});
// @ts-expect-error
model.load;
class Need {
  constructor(readonly id: string) {}
  @method() run(x: number) {
    return x;
  }
}
const need = app.cls(Need);
// @ts-expect-error
need.run;
need.with("a").run.remote(1);
const kw: Promise<void> = need.keepWarm(1);
need.with("a").updateAutoscaler({ maxContainers: null });
// @ts-expect-error methods don't scale by themselves
model.predict.keepWarm(1);
class Bad2 {
  // @ts-expect-error two inputs
  @method() add(a: number, b: number) {
    return a + b;
  }
}
const unset: string | undefined = undefined;
const c = new Client({ url: "", token: unset }).app<typeof import("./classes.fixture.ts")>("models");
const cp: Promise<number> = c.model.predict.remote(1);
const ck: Promise<void> = c.model.keepWarm(1);
// @ts-expect-error
c.Model;
export { kw, ck, p, pp, po, pm, st, cl, ar, h, cp, Bad2 };
