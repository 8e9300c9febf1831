import { afterEach, describe, expect, test } from "vitest";
import { ERROR_CATALOGUE, SamovarError, type ErrorCode } from "@samovar/protocol";
import { FakeClock } from "@samovar/kit";
import { DEPLOY_TOKEN, FakeFunction, INVOKE_TOKEN, JSON_HEAD, STARTED, failWith } from "./fakes.fixture.ts";
import { disposeGateways, startGateway } from "./gateway.fixture.ts";

afterEach(disposeGateways);

const post = (body: string, headers: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  body,
  headers: { "content-type": "application/json", ...headers },
});

/** Status and the members of the problem document that a client reads. */
async function problemOf(response: Response): Promise<Record<string, unknown>> {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const problem = (await response.json()) as Record<string, unknown>;
  expect(problem["status"]).toBe(response.status);
  expect(problem["type"]).toBe(`urn:samovar:error:${String(problem["code"])}`);
  return problem;
}

test("a JSON call reaches the pool as it came, and the answer says where it ran", async () => {
  const predict = new FakeFunction();
  const { request, url } = await startGateway([predict]);
  const response = await request("/endpoint/predict?lang=en", post('{"text":"hi"}', { "x-mine": "1" }));
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ text: "hi" });
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "content-type": "application/json",
    "x-samovar-task-id": "tk_1",
    "x-samovar-container-id": "ct_1",
    "x-samovar-version": "1",
    "x-samovar-cold-start": "0",
    "server-timing": expect.stringMatching(/^queue;dur=0.25, exec;dur=[\d.]+, total;dur=[\d.]+$/),
  });
  const { input, parameters } = predict.calls[0]!;
  expect(parameters).toEqual([]);
  expect(input).toMatchObject({
    taskId: "tk_1",
    method: null,
    encoding: "json",
    reply: "http",
    stream: "ndjson",
    retries: false,
    headless: false,
    bodyStream: null,
  });
  expect(input.request).toMatchObject({ method: "POST", url: `${url}/endpoint/predict?lang=en` });
  expect(input.request!.headers).toContainEqual(["x-mine", "1"]);
});

test("a cold start shows the container's phases in server-timing", async () => {
  const predict = new FakeFunction({
    run: ({ sink }) => {
      sink.started({
        containerId: "ct_7",
        coldStart: true,
        queuedMs: 41,
        phases: [
          { name: "create", durationMs: 25.128 },
          { name: "start", durationMs: 12 },
        ],
      });
      sink.result(JSON_HEAD, Buffer.from("1"));
    },
  });
  const { request } = await startGateway([predict]);
  const response = await request("/endpoint/predict", post("1"));
  expect(response.headers.get("x-samovar-cold-start")).toBe("1");
  expect(response.headers.get("server-timing")).toMatch(/^queue;dur=41, create;dur=25.13, start;dur=12, exec;dur=/);
});

describe("what a path names", () => {
  test("names are compared in lower case, a version and an id pick one version, a slash at the end is the same", async () => {
    const first = new FakeFunction({ name: "Predict", version: 1 });
    const second = new FakeFunction({ name: "Predict", version: 2 });
    const { request } = await startGateway([first, second]);
    for (const [path, version] of [
      ["/endpoint/predict", "2"],
      ["/endpoint/PREDICT/", "2"],
      ["/endpoint/predict@1", "1"],
      ["/endpoint/predict%401", "1"],
      ["/endpoint/id/fn_Predict_1", "1"],
    ] as const) {
      const response = await request(path, post("1"));
      expect([path, response.status, response.headers.get("x-samovar-version")]).toEqual([path, 200, version]);
    }
  });

  test.each([
    ["/endpoint/predic", /Did you mean "predict"\?/],
    ["/endpoint/zzzzzzzzz", /There are: predict, summarize/],
    ["/function/predict", /there is \/endpoint\/predict/],
    ["/endpoint/predict@9", /no version 9: version 1 is active/],
    ["/endpoint/predict@x", /"x" is not a version/],
    ["/endpoint/id/fn_none", /No endpoint has the id "fn_none"/],
    ["/function/id/fn_predict_1", /it is under \/endpoint\/id\//],
    ["/endpoint/", /names no function/],
    ["/endpoint/predict/more", /nothing under "\/more"/],
    ["/cls/model/predct", /no method "predct". Did you mean "predict"\?/],
    ["/cls/model", /as in \/cls\/\{name\}\/\{method\}/],
    ["/endpoint/..%2f..%2fetc", /No endpoint is named "..\/..\/etc"/],
    ["/elsewhere", /Nothing is served at "\/elsewhere"/],
  ])("%s is not found, and the problem says what is near", async (path, detail) => {
    const { request } = await startGateway([
      new FakeFunction(),
      new FakeFunction({ name: "summarize" }),
      new FakeFunction({ kind: "cls", name: "model", methods: { predict: {}, tokens: { route: "/v1/tokens" } } }),
    ]);
    const problem = await problemOf(await request(path, post("1")));
    expect(problem).toMatchObject({ status: 404, code: "not_found", detail: expect.stringMatching(detail) });
  });

  test("a malformed percent-encoding is the caller's mistake", async () => {
    const { request } = await startGateway([new FakeFunction()]);
    expect(await problemOf(await request("/endpoint/%E0%A4", post("1")))).toMatchObject({ status: 400, code: "invalid_request" });
    expect(await problemOf(await request("/endpoint/predict?a=%ff"))).toMatchObject({ status: 400, code: "invalid_request" });
  });

  test("a method is called by its name or its route, by POST or GET, on the instance that `with` names", async () => {
    const model = new FakeFunction({ kind: "cls", name: "model", methods: { predict: {}, tokens: { route: "/v1/tokens" } } });
    const { request } = await startGateway([model]);
    await request(`/cls/model/predict?with=${encodeURIComponent('["large",{"a":1}]')}`, post("3"));
    await request("/cls/model/v1/tokens/?with=[]&prompt=hi");
    await request("/cls/id/fn_model_1/tokens", post("3"));
    expect(model.calls.map(({ parameters, input }) => [input.method, parameters, input.body!.toString()])).toEqual([
      ["predict", ["large", { a: 1 }], "3"],
      ["tokens", [], '{"prompt":"hi"}'],
      ["tokens", [], "3"],
    ]);
  });

  test.each([
    ["", /needs its constructor arguments/],
    ["?with=large", /`with` is not JSON: "large"/],
    ["?with={}", /`with` is not an array/],
    ["?with=[]&with=[]", /`with` twice/],
  ])("constructor arguments %j of a class that needs them are refused", async (query, detail) => {
    const { request } = await startGateway([new FakeFunction({ kind: "cls", name: "model", methods: { predict: {} }, requiresParameters: true })]);
    expect(await problemOf(await request(`/cls/model/predict${query}`, post("1")))).toMatchObject({
      status: 400,
      code: "invalid_request",
      detail: expect.stringMatching(detail),
    });
  });
});

describe("inputs", () => {
  test("a query is an object of strings, and a repeated key an array", async () => {
    const predict = new FakeFunction();
    const { request } = await startGateway([predict]);
    const response = await request("/endpoint/predict?a=1&b=x+y%26&a=2&flag&a=3&__proto__=p&with=kept");
    expect(JSON.parse(await response.text())).toEqual(JSON.parse('{"a":["1","2","3"],"b":"x y&","flag":"","__proto__":"p","with":"kept"}'));
    expect(predict.calls[0]!.input.encoding).toBe("query");
  });

  test("HEAD runs as GET does and has no body", async () => {
    const predict = new FakeFunction();
    const { request } = await startGateway([predict]);
    const response = await request("/endpoint/predict?a=1", { method: "HEAD" });
    expect([response.status, response.headers.get("content-length"), await response.text()]).toEqual([200, "9", ""]);
    expect(predict.calls[0]!.input.request!.method).toBe("HEAD");
  });

  test.each([
    ["application/json; charset=utf-8", "json"],
    ["application/ld+json", "json"],
    ["application/vnd.samovar.value", "value"],
    ["text/plain", "raw"],
    ["image/png", "raw"],
  ])("a body of the type %s is given as %s", async (type, encoding) => {
    const predict = new FakeFunction();
    const { request } = await startGateway([predict]);
    await request("/endpoint/predict", { method: "POST", body: Buffer.from("1"), headers: { "content-type": type } });
    expect(predict.calls[0]!.input).toMatchObject({ encoding, body: Buffer.from("1") });
  });

  test.each([
    ['{"a":1}', "json"],
    [' \n["x=y"]', "json"],
    ['"a=b"', "json"],
    ["42", "json"],
    ["not json", "json"],
    ["a=b&c=d", "raw"],
    ["a={}", "raw"],
  ])("%j called a form, as curl -d does, is %s", async (body, encoding) => {
    const predict = new FakeFunction();
    const { request } = await startGateway([predict]);
    for (const type of ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded; charset=utf-8"]) {
      await request("/endpoint/predict", { method: "POST", body: Buffer.from(body), headers: { "content-type": type } });
    }
    expect(predict.calls.map((call) => call.input)).toMatchObject([{ encoding, body: Buffer.from(body) }, { encoding }]);
  });

  test("JSON under another type, and a compressed form, stay raw", async () => {
    const predict = new FakeFunction();
    const { request } = await startGateway([predict]);
    const form = "application/x-www-form-urlencoded";
    await request("/endpoint/predict", { method: "POST", body: Buffer.from("{}"), headers: { "content-type": "text/plain" } });
    await request("/endpoint/predict", { method: "POST", body: Buffer.from([0x1f, 0x8b]), headers: { "content-type": form, "content-encoding": "gzip" } });
    expect(predict.calls.map((call) => call.input.encoding)).toEqual(["raw", "raw"]);
  });

  test("a body without a content-type is JSON, and no body is no input", async () => {
    const predict = new FakeFunction();
    const { request } = await startGateway([predict]);
    await request("/endpoint/predict", { method: "POST", body: Buffer.from("1") });
    await request("/endpoint/predict", { method: "POST" });
    await request("/endpoint/predict", { method: "POST", headers: { "content-type": "application/json" } });
    expect(predict.calls.map(({ input }) => [input.encoding, input.body?.toString() ?? null])).toEqual([
      ["json", "1"],
      ["none", null],
      ["none", null],
    ]);
  });

  test("compressed JSON is refused before it confuses the worker", async () => {
    const { request } = await startGateway([new FakeFunction()]);
    expect(await problemOf(await request("/endpoint/predict", post("1", { "content-encoding": "gzip" })))).toMatchObject({
      status: 400,
      detail: expect.stringContaining("gzip"),
    });
  });

  test.each([
    ["*/*", "http", "ndjson"],
    ["text/event-stream", "http", "sse"],
    ["application/vnd.samovar.value", "value", "values"],
    ["application/vnd.samovar.values", "value", "values"],
  ])("accept: %s is answered as %s, streams as %s", async (accept, reply, stream) => {
    const predict = new FakeFunction();
    const { request } = await startGateway([predict]);
    await request("/endpoint/predict", post("1", { accept }));
    expect(predict.calls[0]!.input).toMatchObject({ reply, stream, retries: reply === "value" });
  });

  test("idempotent functions may be retried over HTTP, and headless ones say so", async () => {
    const predict = new FakeFunction({ options: { idempotent: true, headless: true } });
    const { request } = await startGateway([predict]);
    await request("/endpoint/predict", post("1"));
    expect(predict.calls[0]!.input).toMatchObject({ retries: true, headless: true });
  });

  test("the caller's token stays at the gateway; someone else's, sent to a public function, goes through", async () => {
    const open = new FakeFunction({ name: "open", options: { authorized: false } });
    const { request } = await startGateway([open]);
    await request("/endpoint/open", post("1"));
    await request("/endpoint/open", post("1", { authorization: "Bearer of-another-service" }));
    const seen = open.calls.map(({ input }) => input.request!.headers.find(([name]) => name === "authorization")?.[1]);
    expect(seen).toEqual([undefined, "Bearer of-another-service"]);
    expect(open.calls[0]!.input.request!.headers.map(([name]) => name)).not.toContain("connection");
  });
});

describe("who may call", () => {
  test.each([
    ["", /has no token/],
    ["Bearer wrong", /not known/],
    ["Basic YTpi", /not known/],
  ])("authorization %j is refused with 401, whether the function exists or not", async (authorization, detail) => {
    const predict = new FakeFunction();
    const { request } = await startGateway([predict]);
    for (const path of ["/endpoint/predict", "/endpoint/nobody"]) {
      const response = await request(path, post("1", { authorization }));
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
      expect(await problemOf(response)).toMatchObject({ status: 401, code: "unauthorized", detail: expect.stringMatching(detail) });
    }
    expect(predict.calls).toEqual([]);
  });

  test("a token for deploying may not call, one for invoking may", async () => {
    const { request } = await startGateway([new FakeFunction()]);
    expect(await problemOf(await request("/endpoint/predict", post("1", { authorization: `Bearer ${DEPLOY_TOKEN}` })))).toMatchObject({
      status: 403,
      code: "forbidden",
      detail: expect.stringContaining("invoke"),
    });
    expect((await request("/endpoint/predict", post("1", { authorization: `bearer ${INVOKE_TOKEN}` }))).status).toBe(200);
  });

  test("a public function needs no token", async () => {
    const { request } = await startGateway([new FakeFunction({ options: { authorized: false } })]);
    expect((await request("/endpoint/predict", post("1", { authorization: "" }))).status).toBe(200);
  });
});

describe("methods and preferences", () => {
  test("another HTTP method gets 405 and what is allowed; OPTIONS tells the same", async () => {
    const { request } = await startGateway([new FakeFunction(), new FakeFunction({ kind: "function", name: "work" })]);
    const response = await request("/endpoint/predict", { method: "DELETE" });
    expect(response.headers.get("allow")).toBe("GET, HEAD, POST, OPTIONS");
    expect(await problemOf(response)).toMatchObject({ status: 405, code: "method_not_allowed" });
    expect((await request("/function/work")).headers.get("allow")).toBe("POST, OPTIONS");
    const options = await request("/function/work", { method: "OPTIONS", headers: { authorization: "" } });
    expect([options.status, options.headers.get("allow")]).toEqual([204, "POST, OPTIONS"]);
  });

  test("a function that is waited for however long it takes, by Prefer: wait or by a handle, is called without a queue", async () => {
    const work = new FakeFunction({ kind: "function", name: "work" });
    const { request, control } = await startGateway([work]);
    expect((await request("/function/work", post("1", { prefer: "wait" }))).status).toBe(200);
    expect((await request("/function/work", post("1", { prefer: "handling=lenient, wait" }))).status).toBe(200);
    expect((await request("/function/work", post("1", { accept: "application/vnd.samovar.value" }))).status).toBe(200);
    expect(work.calls).toHaveLength(3);
    expect(work.calls[2]!.input.request).toBeNull();
    expect(control.tasks.all.size).toBe(0);
  });

  test("a wait that can't be read is refused", async () => {
    const { request } = await startGateway([new FakeFunction()]);
    expect(await problemOf(await request("/endpoint/predict", post("1", { prefer: "wait=soon" })))).toMatchObject({
      status: 400,
      detail: expect.stringContaining('wait="soon"'),
    });
  });

  test("Prefer: wait=N bounds the wait: then 504, and the call is cancelled", async () => {
    const slow = new FakeFunction({ run: ({ sink }) => sink.started(STARTED) });
    const clock = new FakeClock();
    const { request } = await startGateway([slow], { clock });
    const answer = request("/endpoint/predict", post("1", { prefer: "wait=30" }));
    await slow.until(() => slow.calls.length === 1);
    clock.advance(29_999);
    expect(slow.cancelled).toEqual([]);
    clock.advance(1);
    const response = await answer;
    expect(await problemOf(response)).toMatchObject({ status: 504, code: "timeout", detail: expect.stringContaining("30 s") });
    expect(response.headers.get("x-samovar-task-id")).toBe("tk_1");
    expect(slow.cancelled).toEqual(["cancelled"]);
    slow.calls[0]!.sink.result(JSON_HEAD, Buffer.from("late"));
  });
});

describe("failures from the pool", () => {
  test.each(Object.keys(ERROR_CATALOGUE) as ErrorCode[])("%s has the status of the catalogue", async (code) => {
    const { request } = await startGateway([new FakeFunction({ run: failWith(new SamovarError(code, "Something happened", { fields: { hook: "load" } })) })]);
    const response = await request("/endpoint/predict", post("1"));
    const { status, title, retry } = ERROR_CATALOGUE[code];
    expect(await problemOf(response)).toMatchObject({ status, title, code, detail: "Something happened", hook: "load" });
    expect(response.headers.get("retry-after")).toBe(retry && (status === 429 || status === 503) ? "1" : null);
    expect(response.headers.get("x-samovar-task-id")).toBe("tk_1");
    expect(response.headers.get("x-samovar-version")).toBe("1");
  });

  test("retry-after is what the pool knows", async () => {
    const { request } = await startGateway([new FakeFunction({ run: failWith(new SamovarError("start_failed", "No", { fields: { retryAfterMs: 3_200 } })) })]);
    expect((await request("/endpoint/predict", post("1"))).headers.get("retry-after")).toBe("4");
  });

  const thrown = { name: "TypeError", message: "no good", stack: "TypeError: no good\n    at app.ts:1:1" };

  test("a handler's error has its name and message; its stack is for admins and development", async () => {
    const run = failWith(new SamovarError("handler_error", "TypeError: no good"), thrown);
    const { request } = await startGateway([new FakeFunction({ run }), new FakeFunction({ name: "dev", development: true, run })]);
    const asInvoker = { authorization: `Bearer ${INVOKE_TOKEN}` };
    expect((await problemOf(await request("/endpoint/predict", post("1", asInvoker))))["error"]).toEqual({ name: "TypeError", message: "no good" });
    expect((await problemOf(await request("/endpoint/predict", post("1"))))["error"]).toEqual(thrown);
    expect((await problemOf(await request("/endpoint/dev", post("1", asInvoker))))["error"]).toEqual(thrown);
  });

  test("fields that are not JSON don't cost the answer", async () => {
    const { request } = await startGateway([new FakeFunction({ run: failWith(new SamovarError("internal", "Broken", { fields: { big: 1n } })) })]);
    expect(await problemOf(await request("/endpoint/predict", post("1")))).toMatchObject({ code: "internal", detail: "Broken" });
  });

  test("an answer whose head can't be sent is a problem, not a broken connection", async () => {
    const bad = new FakeFunction({ run: ({ sink }) => sink.result({ status: 200, headers: [["x-bad", "a\nb"]] }, Buffer.from("1")) });
    const odd = new FakeFunction({ name: "odd", run: ({ sink }) => sink.result({ status: 101, headers: [] }, Buffer.from("1")) });
    const { request } = await startGateway([bad, odd]);
    expect(await problemOf(await request("/endpoint/predict", post("1")))).toMatchObject({ status: 500, code: "unserializable_result" });
    expect(await problemOf(await request("/endpoint/odd", post("1")))).toMatchObject({ status: 500, detail: expect.stringContaining("101") });
  });
});
