import { fn } from "samovar";
fn({ onStart: async () => ({ db: { close() {} } }), onStop: (ctx) => ctx.onStartValue.db.close() }, (x: number, ctx) => {
  ctx.onStartValue.db;
  return x;
});
fn(
  {
    onStart: async (c) => ({ db: { v: c.version } }),
    onStop: (ctx) => {
      const n: number = ctx.onStartValue.db.v;
      void n;
    },
  },
  (x: number, ctx) => {
    ctx.onStartValue.db;
    return x;
  },
);
fn({ onStop: [(ctx) => ctx.onStartValue.db.close()], onStart: async () => ({ db: { close() {} } }) }, (x: number) => x);
fn(
  {
    onStart: [async () => ({ db: { close() {} } }), (c) => c.version],
    onStop: (ctx) => {
      ctx.onStartValue[0].db.close();
      const n: number = ctx.onStartValue[1];
      void n;
    },
  },
  (x: number, ctx) => {
    ctx.onStartValue[0].db;
    return x;
  },
);
// @ts-expect-error
fn({ onStart: async () => ({ db: 1 }), onStop: (ctx) => ctx.onStartValue.nope }, (x: number) => x);
