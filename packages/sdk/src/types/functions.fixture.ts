import { fn } from "samovar";
import { z } from "zod";
import * as v from "valibot";
const eq =
  <T>() =>
  <U>(_: U & ([T] extends [U] ? ([U] extends [T] ? unknown : never) : never)) => {};
const a = fn({ onStart: async () => ({ model: { score: (t: string) => t.length } }) }, async (input: { text: string }, ctx) => {
  const n: number = ctx.onStartValue.model.score(input.text);
  return { n };
});
const ra: Promise<{ n: number }> = a.remote({ text: "x" });
// @ts-expect-error
a.remote({ text: 1 });
// schema
const b = fn(
  { input: z.object({ n: z.coerce.number().default(3), s: z.string().transform((x) => x.length) }), onStart: async (ctx) => ({ db: ctx.version }) },
  async (input, ctx) => {
    const n: number = input.n;
    const s: number = input.s;
    const d: number = ctx.onStartValue.db;
    return [n + s + d];
  },
);
const rb: Promise<number[]> = b.remote({ s: "x" });
const c = fn({ input: v.object({ n: v.number() }) }, (input) => input.n);
const rc: Promise<number> = c.remote({ n: 1 });
// generator
const g = fn({ onStart: () => 5 }, async function* (input: string, ctx) {
  const k: number = ctx.onStartValue;
  yield input.length + k;
});
const rg: AsyncIterable<number> = g.stream("x");
// @ts-expect-error
g.remote("x");
// no input
const z0 = fn({}, () => 1);
z0.remote();
// deploy + start with ctx
const d = fn(
  { onDeploy: async () => ({ rev: "a" }), onStart: async (ctx) => ({ r: ctx.onDeployValue.rev.length }) },
  (_: number, ctx) => ctx.onStartValue.r + ctx.onDeployValue.rev.length,
);
const rd: Promise<number> = d.remote(1);
// order reversed
const d2 = fn(
  { onStart: async (ctx) => ({ r: ctx.onDeployValue.rev.length }), onDeploy: async () => ({ rev: "a" }) },
  (_: number, ctx) => ctx.onStartValue.r + ctx.onDeployValue.rev.length,
);
const rd2: Promise<number> = d2.remote(1);
// unknown option
// @ts-expect-error
fn({ cpus: 1 }, () => 1);
// schema + annotated mismatch must be error
// @ts-expect-error
fn({ input: z.object({ n: z.number() }) }, (input: { n: string }) => input.n);
// wider annotation
fn({ input: z.object({ n: z.number() }) }, (input: { n: number | string }) => input.n);
// map
const m: AsyncIterable<{ n: number }> = a.map([{ text: "x" }]);
const me: AsyncIterable<{ n: number } | Error> = a.map([{ text: "x" }], { returnErrors: true });
// no onStart
const noS = fn({}, (_i: number, ctx) => {
  const u: undefined = ctx.onStartValue;
  return u;
});
export { ra, rb, rc, rg, rd, rd2, m, me, noS, eq };
const l = fn({ onStart: [async () => ({ a: 1 }), (ctx) => ctx.version, () => "s"] }, async (_: number, ctx) => {
  const [x, y, z] = ctx.onStartValue;
  const k: { a: number } = x;
  const n: number = y;
  const s: string = z;
  return k.a + n + s.length;
});
const l2 = fn({ onDeploy: [() => 1, async () => "s"], onStart: [(ctx) => ctx.onDeployValue[1].length] }, async (_: number, ctx) => {
  const [x] = ctx.onStartValue;
  const n: number = x;
  const s: string = ctx.onDeployValue[1];
  return n + s.length;
});
async function named() {
  return { m: 1 };
}
const l3 = fn({ onStart: named }, (_: number, ctx) => ctx.onStartValue.m);
export { l, l2, l3 };
const l4 = fn({ onStart: [(ctx) => ctx.version, (ctx) => ({ q: ctx.version })] }, async (_: number, ctx) => {
  const [x, y] = ctx.onStartValue;
  const n: number = x;
  return n + y.q;
});
// @ts-expect-error  single value really typed
fn({ onStart: async () => ({ a: 1 }) }, (_: number, ctx) => ctx.onStartValue.b);
// @ts-expect-error  list really typed
fn({ onStart: [async () => ({ a: 1 })] }, (_: number, ctx) => ctx.onStartValue[0].b);
export { l4 };
type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const chk = <T extends true>() => {};
fn({ onStart: [(ctx) => ctx.version, async (ctx) => ({ q: ctx.version })] }, (_: number, ctx) => {
  chk<Eq<typeof ctx.onStartValue, [number, { q: number }]>>();
});
fn({ onStart: async (ctx) => ({ q: ctx.version }) }, (_: number, ctx) => {
  chk<Eq<typeof ctx.onStartValue, { q: number }>>();
});
const viaZod = fn({ input: z.object({ n: z.coerce.number().default(3), s: z.string().transform((x) => x.length) }) }, (input) => {
  chk<Eq<typeof input, { n: number; s: number }>>();
  return 1;
});
chk<Eq<Parameters<typeof viaZod.remote>[0], { s: string; n?: unknown }>>();
// exactOptional + schema with explicit undefined
fn({ input: z.string().optional() }, (s) => s?.length).remote();
// output schema: handler must return its input
// @ts-expect-error
fn({ output: z.object({ n: z.number() }) }, (_: number) => ({ n: "x" }));
const so = fn({ output: z.object({ n: z.number().transform(String) }) }, (_: number) => ({ n: 1 }));
chk<Eq<Awaited<ReturnType<typeof so.remote>>, { n: string }>>();
const sg = fn({ output: z.string() }, async function* (_: number) {
  yield "a";
});
chk<Eq<ReturnType<typeof sg.stream>, AsyncIterable<string>>>();
// @ts-expect-error
fn({ output: z.string() }, async function* (_: number) {
  yield 1;
});
