import { describe, expect, test } from "vitest";
import type { CaseContext } from "./case-context.ts";

/** docs/lifecycle.md, Inputs. */
export function inputCases(at: CaseContext): void {
  describe("inputs", () => {
    test("values cross as they are: Map, Set, Date, BigInt, bytes, undefined, Error", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        export const echo = fn({}, (input: unknown) => input);
      `);
      const value = {
        map: new Map([["a", 1]]),
        set: new Set([1, "b"]),
        date: new Date(5),
        big: 12345678901234567890n,
        bytes: new Uint8Array([1, 2]),
        nothing: undefined,
        list: [null, -0.5],
      };
      expect(await app.call("echo", value).result).toEqual(value);
      const error = (await app.call("echo", new RangeError("crossed", { cause: new Error("why") })).result) as Error;
      expect(error).toMatchObject({ name: "RangeError", message: "crossed", cause: { message: "why" } });
    });

    test("what a handler throws reaches its caller with name, message, cause and source-mapped stack", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        class QuotaError extends Error { override name = "QuotaError"; }
        function deep() { throw new QuotaError("over", { cause: new TypeError("inner") }); }
        export const work = fn({}, () => deep());
      `);
      const call = app.call("work");
      expect(await app.errorOf(call)).toMatchObject({ code: "handler_error", message: "QuotaError: over" });
      expect(call.failure!.thrown).toMatchObject({ name: "QuotaError", message: "over", cause: { name: "TypeError", message: "inner" } });
      if (!at.setting.fake) expect(call.failure!.thrown!.stack).toMatch(/at deep \(.*app\.ts:4:\d+\)/);
    });

    test("a handler that throws something that is no error is told as one", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({}, () => { throw { odd: true }; });
      `);
      expect((await app.errorOf(app.call("work"))).message).toContain('{"odd":true}');
    });

    test("a result that can't be sent is an error that names the path", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        class Row { id = 1; }
        export const work = fn({}, () => ({ rows: [1, new Row()] }) as unknown);
      `);
      expect(await app.errorOf(app.call("work"))).toMatchObject({ code: "unserializable_result", fields: { path: "$.rows[1]" } });
    });

    test("a worker holds at most concurrency.max inputs at once", async () => {
      const app = await at.serve(
        `
        import { fn } from "samovar";
        let now = 0, most = 0;
        export const work = fn({ concurrency: 3, maxContainers: 1 }, async () => {
          most = Math.max(most, ++now);
          for (let i = 0; i < 20; i++) await new Promise(setImmediate);
          now--;
          return most;
        });
      `,
      );
      const most = await Promise.all(Array.from({ length: 12 }, () => app.call("work").result));
      expect(Math.max(...(most as number[]))).toBe(3);
      expect(app.infos()).toHaveLength(1);
    });

    test("a stream's items come in order, and a caller that leaves runs the generator's finally", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        export const count = fn({}, async function* (to: number, ctx) {
          try { for (let i = 1; ; i++) { yield i; if (i === to) return; await new Promise(setImmediate); } }
          finally { ctx.log.info("finally"); }
        });
      `);
      expect(await app.call("count", 5).result).toEqual([1, 2, 3, 4, 5]);
      await app.event("finally");
      const endless = app.call("count", -1);
      await app.until("some items", () => endless.items.length > 3);
      endless.hangUp();
      await app.event("finally", 2);
      expect(await app.call("count", 2).result).toEqual([1, 2]);
      expect(app.infos()).toHaveLength(1);
    });

    test("an error after the first item ends the stream as that error", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({}, function* () { yield 1; throw new RangeError("ran out"); });
      `);
      const call = app.call("work");
      await expect(call.result).rejects.toMatchObject({ name: "RangeError", message: "ran out" });
      expect(call.items).toEqual([1]);
    });

    test("timeout: the signal fires, the caller gets 504, and a handler that settles keeps its worker", async (context) => {
      at.needClock(context);
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({ timeout: "5s" }, (input: string, ctx) => input === "quick" ? "quick" : new Promise((_, reject) => ctx.signal.addEventListener("abort", () => { ctx.log.info("aborted"); reject(ctx.signal.reason); })));
      `);
      const call = app.call("work", "slow");
      await call.started;
      await app.settle();
      await app.advance(5_000);
      expect(await app.errorOf(call)).toMatchObject({ code: "timeout", status: 504 });
      await app.event("aborted");
      await app.advance(2_000);
      expect(await app.call("work", "quick").result).toBe("quick");
      expect(app.infos()).toHaveLength(1);
    });

    test("timeout: a handler that never settles has its worker replaced, and its stop hooks still run", async (context) => {
      at.needClock(context);
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({ timeout: "5s", onStop: (ctx) => ctx.log.info("stop " + ctx.reason) }, (input: string) => input === "quick" ? "quick" : new Promise(() => {}));
      `);
      const call = app.call("work", "stuck");
      await call.started;
      await app.settle();
      await app.advance(5_000);
      await app.errorOf(call);
      await app.advance(2_000);
      // Its signal fires once more as the worker stops; only then stop hooks run without waiting for it.
      await app.advance(2_000);
      await app.event("stop replaced");
      expect(await app.call("work", "quick").result).toBe("quick");
      expect(app.infos()).toHaveLength(2);
    });

    test("a worker whose event loop is blocked past the timeout is killed, and other inputs wait for its replacement", async (context) => {
      at.needProcesses(context);
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({ timeout: "1s", maxContainers: 1 }, (input: string) => { if (input === "block") for (;;); return input; });
      `);
      const blocked = app.call("work", "block");
      await blocked.started;
      const waiting = app.call("work", "after");
      expect(await app.errorOf(blocked)).toMatchObject({ code: "timeout" });
      expect(await waiting.result).toBe("after");
      expect(app.infos()[0]!.reason).toContain("event loop was blocked");
    });

    test("the timeout of a stream is between its items", async (context) => {
      at.needClock(context);
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({ timeout: "5s" }, async function* (_: null, ctx) {
          for (let i = 1; i <= 3; i++) { yield i; ctx.log.info("waits " + i); await new Promise((resolve) => { globalThis.next = resolve; }); }
        });
      `);
      const call = app.call("work", null);
      for (let i = 1; i <= 3; i++) {
        await app.event(`waits ${i}`);
        await app.advance(4_000);
        (globalThis as unknown as { next(): void }).next();
      }
      expect(await call.result).toEqual([1, 2, 3]);
    });

    test("cancelling fires the signal and disturbs no other input of that worker", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({ concurrency: 2, maxContainers: 1 }, async (name: string, ctx) => {
          ctx.log.info("begins " + name);
          if (name === "b") { for (let i = 0; i < 300; i++) await new Promise(setImmediate); return "b"; }
          await new Promise((_, reject) => ctx.signal.addEventListener("abort", () => { ctx.log.info("aborted " + name); reject(ctx.signal.reason); }));
        });
      `);
      const [a, b] = [app.call("work", "a"), app.call("work", "b")];
      await app.event("begins a");
      await app.event("begins b");
      a.cancel();
      expect(await app.errorOf(a)).toMatchObject({ code: "cancelled" });
      await app.event("aborted a");
      expect(await b.result).toBe("b");
      expect(app.infos()).toHaveLength(1);
    });

    test("a caller that hangs up cancels, unless the function is headless", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({}, async (kind: string, ctx) => {
          ctx.log.info("begins");
          if (kind === "attended") await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
          else for (let i = 0; i < 50; i++) await new Promise(setImmediate);
          ctx.log.info(ctx.signal.aborted ? "aborted" : "finished");
        });
      `);
      const call = app.call("work", "attended");
      await app.event("begins");
      call.hangUp();
      await app.event("aborted");
      const headless = app.call("work", "headless", { headless: true });
      await app.event("begins", 2);
      headless.hangUp();
      await app.event("finished");
      expect(app.events).toEqual(["begins", "aborted", "begins", "finished"]);
    });

    test("retries: as often as the policy says, with back-off, by error class; the context tells the attempt", async (context) => {
      at.needClock(context);
      const app = await at.serve(`
        import { fn } from "samovar";
        class Flaky extends Error {}
        class VeryFlaky extends Flaky {}
        export const work = fn({ retries: { maxRetries: 2, initialDelay: "1s", backoff: 3, jitter: false, on: [Flaky] } }, (kind: string, ctx) => {
          ctx.log.info(kind + " " + ctx.attempt);
          if (kind === "other") throw new TypeError("never again");
          if (kind === "always" || ctx.attempt < 3) throw new VeryFlaky("try again");
          return ctx.attempt;
        });
      `);
      const call = app.call("work", "flaky");
      await app.event("flaky 1");
      await app.advance(1_000);
      await app.event("flaky 2");
      await app.advance(3_000);
      expect(await call.result).toBe(3);
      expect(await app.errorOf(app.call("work", "other"))).toMatchObject({ code: "handler_error" });
      expect(app.events.filter((event) => event.startsWith("other"))).toEqual(["other 1"]);
      const always = app.call("work", "always");
      await app.event("always 1");
      await app.advance(1_000);
      await app.event("always 2");
      await app.advance(3_000);
      expect(await app.errorOf(always)).toMatchObject({ message: "Error: try again" });
      expect(app.call("work", "flaky", { retries: false }).failure).toBeNull();
    });

    test("a retry waits for a slot anew, however long the attempts before it took", async (context) => {
      at.needClock(context);
      const app = await at.serve(
        `
        import { fn } from "samovar";
        globalThis.retryFinish ??= [];
        export const work = fn({ timeout: "5s", retries: { maxRetries: 1, initialDelay: "1s", jitter: false } }, async (name: string, ctx) => {
          ctx.log.info(name + " " + ctx.attempt);
          if (name === "flaky" && ctx.attempt === 1) await new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason)));
          else await new Promise((resolve) => globalThis.retryFinish.push(resolve));
          return name;
        });
      `,
        { override: { maxContainers: 1, queueTimeoutMs: 3_000 } },
      );
      const finish = (): void => (globalThis as unknown as { retryFinish: (() => void)[] }).retryFinish.splice(0).forEach((resolve) => resolve());
      const flaky = app.call("work", "flaky");
      await app.event("flaky 1");
      await app.advance(5_000);
      const other = app.call("work", "other");
      await app.event("other 1");
      await app.advance(1_000);
      expect(flaky.failure).toBeNull();
      await app.advance(500);
      finish();
      expect(await other.result).toBe("other");
      await app.event("flaky 2");
      finish();
      expect(await flaky.result).toBe("flaky");
    });

    test("an input that waits for its retry is answered when its pool closes", async (context) => {
      at.needClock(context);
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({ retries: { maxRetries: 3, initialDelay: "10s" } }, (_: null, ctx) => { ctx.log.info("try " + ctx.attempt); throw new Error("not yet"); });
      `);
      const call = app.call("work", null);
      await app.event("try 1");
      await app.settle();
      await app.close("stop", null);
      expect(await app.errorOf(call)).toMatchObject({ code: "shutting_down" });
    });

    test("a handler that exits the process fails its input with the exit, and the next call is served", async (context) => {
      at.needProcesses(context);
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({}, (code: number) => (code ? process.exit(code) : "fine"));
      `);
      expect(await app.errorOf(app.call("work", 3))).toMatchObject({ code: "container_lost", status: 502, fields: { reason: "exit 3" } });
      expect(await app.call("work", 0).result).toBe("fine");
    });

    test("running out of memory is told as that", async (context) => {
      at.need(context, "memoryLimit", "enforced", "watched");
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({ memory: "128Mi" }, (_: null, ctx) => {
          ctx.log.info("begins");
          const all: Buffer[] = [];
          if (globalThis.process.env.NEVER) return 1;
          return new Promise((resolve) => { const eat = () => { all.push(Buffer.alloc(16 << 20, 1)); setImmediate(eat); }; ${at.setting.fake ? "" : "eat();"} });
        });
      `);
      const call = app.call("work", null);
      if (at.setting.fake) {
        await app.event("begins");
        at.setting.fake.driver.control(app.active()[0]!.id).outOfMemory();
      }
      expect(await app.errorOf(call)).toMatchObject({ code: "container_lost", fields: { reason: "oom" } });
    });

    test("a container that is lost without a word fails what it held", async (context) => {
      at.needClock(context);
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({}, (_: null, ctx) => { ctx.log.info("begins"); return new Promise(() => {}); });
      `);
      const call = app.call("work", null);
      await app.event("begins");
      at.setting.fake!.driver.control(app.active()[0]!.id).lose();
      expect(await app.errorOf(call)).toMatchObject({ code: "container_lost" });
    });

    test("a runner that sends garbage is ended, and nobody else is disturbed", async (context) => {
      at.needClock(context);
      const app = await at.serve(`
        import { fn } from "samovar";
        export const bad = fn({}, (_: null, ctx) => { ctx.log.info("begins"); return new Promise(() => {}); });
        export const good = fn({}, () => "fine");
      `);
      expect(await app.call("good").result).toBe("fine");
      const call = app.call("bad", null);
      await app.event("begins");
      const container = app.active().find((c) => c.plan.load.functionName === "bad")!;
      at.setting.fake!.driver.control(container.id).sendGarbage(Buffer.from("GET / HTTP/1.1\\r\\n\\r\\n"));
      await app.advance(0);
      expect(await app.errorOf(call)).toMatchObject({ code: "container_lost" });
      expect(await app.call("good").result).toBe("fine");
    });

    test("batches: single values in, a list for the handler, each caller its own result or error", async () => {
      const app = await at.serve(`
        import { fn, BatchError } from "samovar";
        export const work = fn({ batch: { maxBatchSize: 4, wait: "20ms" } }, (xs: readonly number[], ctx) => {
          ctx.log.info("batch of " + xs.length);
          return xs.map((x) => (x < 0 ? new BatchError("negative") : x * 10));
        });
      `);
      const calls = [1, 2, -3, 4].map((x) => app.call("work", x));
      const outcome = Promise.allSettled(calls.map((call) => call.result));
      await Promise.all(calls.map((call) => call.started));
      if (at.setting.fake) await app.advance(20);
      expect((await outcome).map((o) => (o.status === "fulfilled" ? o.value : "failed"))).toEqual([10, 20, "failed", 40]);
      expect(app.events).toEqual(["batch of 4"]);
    });

    test("input and output schemas are checked in the worker", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        const positive = { "~standard": { version: 1 as const, vendor: "test", validate: (v: unknown) => (typeof v === "number" && v > 0 ? { value: v } : { issues: [{ message: "must be positive", path: ["n"] }] }) } };
        export const work = fn({ input: positive, output: positive }, (n: number) => n - 10);
      `);
      expect(await app.call("work", 15).result).toBe(5);
      expect(await app.errorOf(app.call("work", -1))).toMatchObject({
        code: "invalid_input",
        status: 422,
        fields: { issues: [{ message: "must be positive", path: ["n"] }] },
      });
      expect(await app.errorOf(app.call("work", 5))).toMatchObject({ code: "invalid_output", status: 500 });
    });

    test("logs belong to a hook, an input, or the worker", async (context) => {
      at.needProcesses(context);
      const app = await at.serve(`
        import { fn } from "samovar";
        console.log("from module");
        setImmediate(() => console.log("from nowhere"));
        export const work = fn({ onStart: function warm() { console.error("from hook"); } }, async () => { await null; console.log("from input"); });
      `);
      await app.call("work").result;
      await app.until("all lines", () => ["from module", "from hook", "from input"].every((text) => app.lines.some((line) => line.text === text)));
      const source = (text: string) => app.lines.find((line) => line.text === text)!.source;
      expect(source("from module").kind).toBe("worker");
      expect(source("from hook")).toMatchObject({ kind: "hook", hook: "warm" });
      expect(source("from input")).toMatchObject({ kind: "input" });
    });
  });
}
