import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CliProcess } from "./cli-process.fixture.ts";
import { LOAD_APP } from "./load.app.fixture.ts";
import type { Lifeline } from "./lifelines.fixture.ts";
import { TestHome, type Answer } from "./test-home.fixture.ts";

let home: TestHome;
let serve: CliProcess;
beforeAll(async () => {
  home = await TestHome.create({ "app.ts": LOAD_APP });
  await home.ok(["up", "-d", "--port", "0"], { SAMOVAR_MAX_BODY: "1Gi" });
  serve = await home.serve();
});
afterAll(async () => {
  serve.kill("SIGINT");
  const { code } = await serve.exited;
  await home.endServer();
  if (code !== 0) throw new Error(`serve ended with ${code}:\n${serve.err()}`);
});

/** How much more memory the server had at most while something ran, as the kernel keeps it. Linux only. */
async function peakGrowthMib(run: () => Promise<void>): Promise<number> {
  const { pid } = home.server;
  const read = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
  const before = read("VmRSS");
  await run();
  return read("VmHWM") - before;
}

test("200 calls at once to a cold endpoint are all answered, by few containers", async () => {
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => home.endpoint("cold", i)));
  expect(answers.map((answer) => answer.json.i)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  const started = (await home.containers()).filter((container) => container.function === "cold-dev");
  expect(started.length).toBeLessThanOrEqual(16);
  expect(answers.some((answer) => answer.headers.get("x-samovar-cold-start") === "1")).toBe(true);
});

// Memory of processes is read from /proc, which only Linux has.
test.skipIf(process.platform !== "linux")("300 MiB up and down go through a server that holds little of them", async () => {
  const mib = 300;
  let left = mib * 16;
  const pieces = new ReadableStream<Uint8Array>({ pull: (c) => (left-- > 0 ? c.enqueue(new Uint8Array(64 * 1024)) : c.close()) });
  const up = await peakGrowthMib(async () => {
    expect(await home.endpoint("count", undefined, { raw: pieces, headers: { "content-type": "application/octet-stream" } })).toMatchObject({
      status: 200,
      json: mib * 1024 * 1024,
    });
  });
  const down = await peakGrowthMib(async () => {
    let bytes = 0;
    for await (const chunk of (await home.fetch("/endpoint/produce-dev", mib)).body!) bytes += chunk.length;
    expect(bytes).toBe(mib * 1024 * 1024);
  });
  expect({ up, down }).toEqual({ up: expect.toSatisfy((growth: number) => growth < mib / 2), down: expect.toSatisfy((growth: number) => growth < mib / 2) });
});

test("a body is streamed both ways at once", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const response = home.fetch("/endpoint/upper-dev", undefined, { raw: readable, headers: { "content-type": "text/plain" } });
  void writer.write(Buffer.from("grüße"));
  const reader = (await response).body!.pipeThrough(new TextDecoderStream()).getReader();
  expect((await reader.read()).value).toBe('"GRÜSSE"\n');
  void writer.write(Buffer.from("again")).then(() => writer.close());
  expect((await reader.read()).value).toBe('"AGAIN"\n');
  expect((await reader.read()).done).toBe(true);
});

// Memory of processes is read from /proc, which only Linux has.
test.skipIf(process.platform !== "linux").each([
  ["flood", 200_000, /the last line/],
  ["rawFlood", 200, /y{1000}/],
])("200 MB of log (%s): the call is answered, the tail is there, memory and disk are bounded", async (name, amount, last) => {
  let id = "";
  const growth = await peakGrowthMib(async () => {
    const answer = await home.endpoint(name, amount);
    expect(answer.status).toBe(200);
    expect(answer.json.rssMib).toBeLessThan(200);
    id = answer.headers.get("x-samovar-container-id")!;
  });
  expect(growth).toBeLessThan(300);
  expect(await home.ok(["container", "logs", id, "--tail", "3"])).toMatch(last);
  const logs = join(home.home, "logs");
  const bytes = readdirSync(logs)
    .filter((file) => file.includes(id))
    .reduce((sum, file) => sum + statSync(join(logs, file)).size, 0);
  expect(bytes).toBeLessThan(20 * 1024 * 1024);
});

test("functions call each other inside containers: values, errors, streams, a thousand at once", async () => {
  expect((await home.endpoint("outer", 3)).json).toEqual({ sum: 4, remote: true });
  expect((await home.endpoint("mapper", 1_000)).json).toEqual({ n: 1_000, ordered: true });
  expect((await home.endpoint("streamer", 3)).text).toBe('{"ms":0}\n{"ms":1}\n{"ms":2}\n');
  expect((await home.endpoint("early", 1)).text).toBe("1970-01-01T00:00:00.000Z");
  expect((await home.endpoint("catcher", 1)).json).toEqual({
    name: "TypeError",
    message: "inner",
    cause: "deeper",
    place: expect.stringMatching(/^app\.ts:\d+$/),
  });
});

test("context() is the input's own, and env knows where it is", async () => {
  expect((await home.endpoint("where", 1)).json).toEqual({ same: true, kind: "endpoint", remote: true, worker: 0 });
});

test("four workers of a container take two inputs each, no more", async () => {
  const call = (count: number): Promise<Answer[]> => Promise.all(Array.from({ length: count }, () => home.endpoint("four", 1)));
  const take = (count: number): Promise<Lifeline[]> => Promise.all(Array.from({ length: count }, () => home.lifelines.next("four")));
  const calls = call(24);
  // All of them are busy then.
  for (const input of await take(8)) input.go();
  for (let left = 16; left > 0; left--) (await home.lifelines.next("four")).go();
  const answers = await calls;
  expect(new Set(answers.map((answer) => answer.headers.get("x-samovar-container-id"))).size).toBe(1);
  expect(answers.every((answer) => answer.status === 200 && answer.json.most <= 2)).toBe(true);
  const again = call(8);
  for (const input of await take(8)) input.go();
  expect((await again).map((answer) => answer.json.worker).sort()).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
});

test("main maps over a thousand inputs from this machine", async () => {
  expect(await home.ok(["run", "app.ts"])).toBe("500500\n");
});
