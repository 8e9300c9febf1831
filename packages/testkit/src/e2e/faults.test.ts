import { request } from "node:http";
import { connect } from "node:net";
import { text as readText } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CliProcess } from "./cli-process.fixture.ts";
import { FAULTS_APP } from "./faults.app.fixture.ts";
import { TestHome } from "./test-home.fixture.ts";

// One server for all, as it is in life: each fault must leave the others undisturbed.
let home: TestHome;
let serve: CliProcess;
beforeAll(async () => {
  home = await TestHome.create({ "app.ts": FAULTS_APP });
  await home.ok(["up", "-d", "--port", "0"]);
  serve = await home.serve();
});
afterAll(async () => {
  serve.kill("SIGINT");
  const { code } = await serve.exited;
  await home.endServer();
  if (code !== 0) throw new Error(`serve ended with ${code}:\n${serve.err()}`);
});

/** The one other function that must always answer. */
const expectUndisturbed = async (): Promise<void> => expect((await home.endpoint("echo", "still here")).text).toBe("still here");

test("a body that is not JSON is 400", async () => {
  expect(await home.endpoint("echo", undefined, { raw: "{nope", headers: { "content-type": "application/json" } })).toMatchObject({
    status: 400,
    json: { code: "invalid_json", detail: expect.stringMatching(/^The body is not JSON: .*position 1/) },
  });
});

test("a body over the limit is 413, told before it is sent where its length is", async () => {
  const send = (headers: Record<string, string | number>): Promise<{ status: number | undefined; body: string }> =>
    new Promise((resolve, reject) => {
      const call = request(
        `${home.server.url}/endpoint/echo-dev`,
        { method: "POST", headers: { authorization: `Bearer ${home.token}`, "content-type": "application/json", ...headers } },
        (response) => {
          void readText(response).then((body) => resolve({ status: response.statusCode, body }), reject);
        },
      );
      // The server closes a connection on which more would come.
      call.on("error", () => {});
      call.flushHeaders();
      const chunk = Buffer.alloc(1024 * 1024, " ");
      const write = (): void => {
        while (!call.destroyed && call.write(chunk));
      };
      call.on("drain", write);
      if (!("content-length" in headers)) write();
    });
  const told = await send({ "content-length": 100 * 1024 * 1024 + 1 });
  expect(told).toEqual({ status: 413, body: expect.stringContaining("payload_too_large") });
  expect(await send({})).toEqual({ status: 413, body: expect.stringContaining("the limit is 104857600") });
  await expectUndisturbed();
});

test("an input that fails the schema is 422 with its issues; a query is coerced", async () => {
  expect(await home.endpoint("greet", { times: "x" })).toMatchObject({
    status: 422,
    json: {
      code: "invalid_input",
      issues: [
        { message: "Expected a string", path: ["name"] },
        { message: "Expected an integer", path: ["times"] },
      ],
    },
  });
  expect(await home.call("/endpoint/greet-dev?times=2", undefined, { method: "GET" })).toMatchObject({ status: 422, json: { issues: [{ path: ["name"] }] } });
  expect(await home.call(`/endpoint/greet-dev?name=${encodeURIComponent("Jürgen 🫖")}&times=2`, undefined, { method: "GET" })).toMatchObject({
    status: 200,
    json: { hello: "Jürgen 🫖 Jürgen 🫖" },
  });
});

test.each([
  ["/endpoint/ech-dev", 'Did you mean "echo-dev"?'],
  ["/cls/model-dev/predikt", 'Did you mean "predict"?'],
  ["/endpoint/echo-dev@77", "has no version 77: version 1 is active"],
  ["/function/echo-dev", "but there is /endpoint/echo-dev"],
  ["/endpont/echo-dev", "functions are at /endpoint/{name}"],
  ["/endpoint/id/fn_none", 'No endpoint has the id "fn_none"'],
])("%s is 404 and says what there is", async (path, detail) => {
  expect(await home.call(path, 1)).toMatchObject({ status: 404, json: { code: "not_found", detail: expect.stringContaining(detail) } });
});

test("a missing token and a wrong one are 401", async () => {
  const missing = await home.endpoint("echo", 1, { token: null });
  expect(missing).toMatchObject({ status: 401, json: { code: "unauthorized", detail: expect.stringContaining("has no token") } });
  expect(missing.headers.get("www-authenticate")).toBe("Bearer");
  expect(await home.endpoint("echo", 1, { token: "smv_wrong" })).toMatchObject({
    status: 401,
    json: { code: "unauthorized", detail: expect.stringContaining("not known here") },
  });
});

test("HEAD answers as GET without its body, OPTIONS says what is allowed, PUT is 405", async () => {
  expect(await home.call("/endpoint/echo-dev?a=1", undefined, { method: "HEAD" })).toMatchObject({ status: 200, text: "" });
  const options = await home.call("/endpoint/echo-dev", undefined, { method: "OPTIONS" });
  expect([options.status, options.headers.get("allow")]).toEqual([204, "GET, HEAD, POST, OPTIONS"]);
  expect(await home.endpoint("echo", 1, { method: "PUT" })).toMatchObject({ status: 405, json: { code: "method_not_allowed" } });
});

test.each([
  ["object", '{"some":"thing"}'],
  ["string", "just text"],
  ["nothing", "undefined"],
])("a handler that throws a non-error (%s) is 500 and shows it", async (what, shown) => {
  expect(await home.endpoint("throwing", what)).toMatchObject({
    status: 500,
    json: { code: "handler_error", detail: `Error: A non-error was thrown: ${shown}` },
  });
});

test.each([
  ["cycle", "$.inner.cycle is a cycle"],
  ["class", "$.list[0] is an instance of Point"],
  ["map", "$.map is a Map"],
  ["bigint", "$.n is a BigInt"],
  ["date", "$.at is a Date"],
])("a result that can't be sent (%s) is 500 and names the path", async (kind, detail) => {
  expect(await home.endpoint("unsendable", kind)).toMatchObject({
    status: 500,
    json: { code: "unserializable_result", detail: expect.stringContaining(detail) },
  });
});

test.concurrent("a handler that never settles is 504; its neighbour is answered, its worker is replaced", async () => {
  const first = await home.endpoint("never", "warm");
  const worker = await home.lifelines.next("never");
  const hanging = home.endpoint("never", "hang");
  expect((await home.endpoint("never", "beside it")).text).toBe(first.text);
  expect(await hanging).toMatchObject({ status: 504, json: { code: "timeout", detail: "never-dev did not answer within its timeout of 5 s" } });
  await worker.ended;
  const after = await home.endpoint("never", "after it");
  expect(after.status).toBe(200);
  expect(after.text).not.toBe(first.text);
});

test.concurrent("a handler that blocks the event loop is killed; what comes to it after the timeout waits for the replacement", async () => {
  const first = await home.endpoint("block", "warm");
  const worker = await home.lifelines.next("block");
  expect(await home.endpoint("block", "block")).toMatchObject({ status: 504, json: { code: "timeout" } });
  await expectUndisturbed();
  await serve.sees(/\[block-dev\] the last words/);
  const waiting = home.endpoint("block", "after it");
  await worker.ended;
  const after = await waiting;
  expect(after.status).toBe(200);
  expect(after.text).not.toBe(first.text);
});

test.concurrent.each([
  ["badStart", "hook onStart failed: no model here"],
  ["exitStart", "hook onStart failed: The container ended during its start: exit 4"],
  ["hangStart", "hook forever failed: The container was not ready within 15 s"],
  ["blockStart", "hook spin failed: The container was not ready within 15 s"],
])("a start that fails (%s) is 503 with the reason, at once from then on", async (name, detail) => {
  const expected = { status: 503, json: { code: "start_failed", detail: expect.stringContaining(detail) } };
  expect(await home.endpoint(name, 1)).toMatchObject(expected);
  expect(await home.endpoint(name, 1)).toMatchObject(expected);
  expect(await home.ok(["ps"])).toMatch(new RegExp(`${name}-dev.*failing[\\s\\S]*└ .*`));
});

test("a handler that exits is 502 with the exit code; what it logged before is there", async () => {
  await home.endpoint("exit", -1);
  const worker = await home.lifelines.next("exit");
  expect(await home.endpoint("exit", 3)).toMatchObject({
    status: 502,
    json: { code: "container_lost", reason: "exit 3", detail: "The container was lost while it held the input: exit 3" },
  });
  await worker.ended;
  await serve.sees(/\[exit-dev\] about to exit/);
  expect(await home.endpoint("exit", -1)).toMatchObject({ status: 200 });
});

test("a worker that exits while its siblings start fails its input and nothing else", async () => {
  expect((await home.endpoint("early", -1)).text).toBe("fine");
  const sibling = await home.lifelines.next("early");
  expect(await home.endpoint("early", 7)).toMatchObject({ status: 502, json: { code: "container_lost", reason: "exit 7" } });
  expect(await home.endpoint("early", -1)).toMatchObject({ status: 200, text: "fine" });
  sibling.go();
  (await home.lifelines.next("early")).go();
});

test.each(["throw", "reject"])("a stray error (%s) ends the process: 502, and the error is in the log", async (how) => {
  expect(await home.endpoint("stray", how)).toMatchObject({ status: 502, json: { code: "container_lost", reason: "exit 1" } });
  await serve.sees(/\[stray-dev\] Uncaught Error: stray/);
});

test.each(["SIGSEGV", "SIGKILL"])("a process that ends with %s is 502 with the signal", async (signal) => {
  expect(await home.endpoint("crash", signal)).toMatchObject({ status: 502, json: { code: "container_lost", reason: signal } });
  await expectUndisturbed();
});

test("a handler that eats all memory is 502 with oom", async () => {
  const eating = home.endpoint("oom", 1);
  await expectUndisturbed();
  expect(await eating).toMatchObject({ status: 502, json: { code: "container_lost", reason: "oom" } });
  await expectUndisturbed();
});

test("a stream that fails midway ends with its error, as NDJSON and as server-sent events", async () => {
  expect((await home.endpoint("broken", 1)).text).toBe('1\n2\n{"error":{"name":"RangeError","message":"midway","code":"handler_error"}}\n');
  const events = await home.endpoint("broken", 1, { headers: { accept: "text/event-stream" } });
  expect(events.headers.get("content-type")).toBe("text/event-stream");
  expect(events.text).toBe('data: 1\n\ndata: 2\n\nevent: error\ndata: {"error":{"name":"RangeError","message":"midway","code":"handler_error"}}\n\n');
});

test("a reader that never reads holds the generator within the windows; when it leaves, finally runs", async () => {
  const { hostname, port } = new URL(home.server.url);
  const socket = connect(Number(port), hostname);
  const body = JSON.stringify({ count: 1_000_000 });
  socket.pause();
  socket.write(
    `POST /endpoint/items-dev HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${home.token}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  // The first bytes are there, and nobody takes the rest. A second stream of the same worker goes on meanwhile.
  await new Promise((resolve) => socket.once("readable", resolve));
  const beside = home.endpoint("items", { count: 2_000 });
  (await home.lifelines.next("items many")).go();
  expect((await beside).text.trimEnd().split("\n")).toHaveLength(2_000);
  socket.destroy();
  // 1,000 items are 10 MB: what sockets and windows hold is less.
  (await home.lifelines.next("items few aborted")).go();
});

test("a stop hook that hangs is killed when its grace period is over", async () => {
  const call = await home.endpoint("hangStop", 1);
  const worker = await home.lifelines.next("hangStop");
  await home.ok(["container", "stop", call.headers.get("x-samovar-container-id")!]);
  await worker.ended;
  await expectUndisturbed();
});

test("kill -9 of a container in mid-call is 502 with the signal; the next call has another container", async () => {
  const call = home.endpoint("held", 1);
  await home.lifelines.next("held runs");
  process.kill((await readyContainer("held-dev")).pid!, "SIGKILL");
  expect(await call).toMatchObject({ status: 502, json: { code: "container_lost", reason: "SIGKILL" } });
  const next = home.endpoint("held", 1);
  (await home.lifelines.next("held runs")).go();
  expect(await next).toMatchObject({ status: 200, text: "released" });
});

test("container stop while it is busy: the input finishes, then stop hooks run; new inputs go elsewhere", async () => {
  const busy = home.endpoint("held", 1);
  const first = await home.lifelines.next("held runs");
  const { id } = await readyContainer("held-dev");
  await home.ok(["container", "stop", id]);
  const other = home.endpoint("held", 1);
  const second = await home.lifelines.next("held runs");
  expect(second.who).not.toBe(first.who);
  first.go();
  second.go();
  expect([(await busy).text, (await other).text]).toEqual(["released", "released"]);
  (await home.lifelines.next("held stops: stop")).go();
  await first.ended;
  process.kill((await readyContainer("held-dev")).pid!, "SIGKILL");
});

test("Prefer: wait=1 on a function that takes longer is 202: its task goes on, until it is cancelled", async () => {
  // A container that starts would take of the wait.
  await home.call("/function/slow-dev", "warm");
  const late = await home.call("/function/slow-dev", 1, { headers: { prefer: "wait=1" } });
  expect([late.status, Object.keys(late.json)]).toEqual([202, ["taskId"]]);
  expect(await home.call(`/api/v1/tasks/${late.json.taskId}/cancel`)).toMatchObject({ json: { changed: true, task: { attempts: [{ number: 1 }] } } });
  (await home.lifelines.next("slow aborted")).go();
});

test("a client that speaks no HTTP is refused, and a runner that sends garbage or lies about who it is", async () => {
  const { hostname, port } = new URL(home.server.url);
  const garbage = connect(Number(port), hostname);
  garbage.end("\x16\x03\x01 this is not HTTP\r\n\r\n");
  expect(await readText(garbage)).toMatch(/^HTTP\/1\.1 400 /);

  for (const bytes of [Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.alloc(64, 0xff), Buffer.from([0, 0, 0, 5, 1, 0, 0, 0, 0])]) {
    const runner = connect(`${home.home}/run/workers/sock`);
    const closed = new Promise((resolve) => runner.once("close", resolve));
    runner.on("error", () => {});
    runner.resume().write(bytes);
    await closed;
  }
  await expectUndisturbed();
});

test.each([
  ["a frame type that does not exist", "00000005ee00000000", "frame type 0xee"],
  ["a length without end", "ffffffff0100000000", "A frame says it has 4294967295 bytes"],
  ["an answer that is no value", "0000000d2400000003c1c1c1c1c1c1c1c1", "A head is longer than its frame"],
])("a runner that sends %s loses its connection, and its inputs with it", async (_name, hex, detail) => {
  await home.endpoint("garbage", "");
  const worker = await home.lifelines.next("garbage");
  const lost = await home.endpoint("garbage", hex);
  expect(lost).toMatchObject({ status: 502, json: { code: "container_lost", detail: expect.stringContaining(detail) } });
  await worker.ended;
  await expectUndisturbed();
});

async function readyContainer(name: string): Promise<{ readonly id: string; readonly pid: number | null }> {
  return (await home.containers()).find((container) => container.function === name && container.state === "ready")!;
}
