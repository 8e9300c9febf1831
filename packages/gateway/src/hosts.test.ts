import { afterEach, describe, expect, test } from "vitest";
import { ADMIN_TOKEN, FakeFunction } from "./fakes.fixture.ts";
import { RawClient, disposeGateways, startGateway } from "./gateway.fixture.ts";

afterEach(disposeGateways);

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** A request with just these headers, on a connection of its own. */
async function ask(port: number, line: string, ...headers: readonly string[]): Promise<Answer> {
  const text = await new RawClient(port).send([`${line} HTTP/1.1`, ...headers, "connection: close"]).closed();
  const [head, ...body] = text.split("\r\n\r\n");
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head!)?.[1]), head: head!, body: body.join("\r\n\r\n") };
}

const AUTHORIZED = `authorization: Bearer ${ADMIN_TOKEN}`;

describe("a function's own host", () => {
  test("leads to the function, whatever its kind, with the path its own", async () => {
    const predict = new FakeFunction({ name: "My_Predict" });
    const model = new FakeFunction({ kind: "cls", name: "model", methods: { run: {}, tokens: { route: "/v1/tokens" } } });
    const work = new FakeFunction({ kind: "function", name: "work" });
    const { port } = await startGateway([predict, model, work], { hosts: ["samovar.example"] });
    const at = (line: string, host: string, ...more: readonly string[]): Promise<Answer> => ask(port, line, `host: ${host}`, AUTHORIZED, ...more);
    expect((await at("GET /?a=1", "my-predict.localhost:8700")).body).toBe('{"a":"1"}');
    expect((await at("GET /", "MY-Predict.Samovar.Example.")).status).toBe(200);
    expect((await at("GET /run?b=2", "model.localhost")).body).toBe('{"b":"2"}');
    expect((await at("GET /v1/tokens/", "model.localhost")).status).toBe(200);
    expect((await at("POST /", "work.localhost", "prefer: wait", "content-length: 0")).status).toBe(200);
    expect((await at("GET /", "work.localhost")).status).toBe(405);
    expect(model.calls.map(({ input }) => input.method)).toEqual(["run", "tokens"]);
    expect(predict.calls[0]!.input.request!.url).toBe("http://my-predict.localhost:8700/?a=1");
  });

  test("a version has one, with two dashes", async () => {
    const { port } = await startGateway([new FakeFunction({ version: 1 }), new FakeFunction({ version: 2 })]);
    for (const [host, version] of [
      ["predict.localhost", "2"],
      ["predict--1.localhost", "1"],
    ] as const) {
      expect((await ask(port, "GET /", `host: ${host}`, AUTHORIZED)).head).toContain(`x-samovar-version: ${version}`);
    }
  });

  test("has nothing of the server: no control API, no metrics, no health", async () => {
    const predict = new FakeFunction();
    const { port } = await startGateway([predict], { metrics: async () => ({ contentType: "text/plain", body: "secret 1" }) });
    for (const path of ["/api/v1/server", "/api", "/metrics", "/livez", "/readyz", "/endpoint/predict"]) {
      const { status, body } = await ask(port, `GET ${path}`, "host: predict.localhost", AUTHORIZED);
      expect([path, status, JSON.parse(body)]).toMatchObject([path, 404, { code: "not_found", detail: expect.stringMatching(/^predict has nothing under/) }]);
    }
    expect(predict.calls).toEqual([]);
  });

  test("of a name that nobody has is not found, with near ones; without a token it is as any other", async () => {
    const { port } = await startGateway([new FakeFunction({ name: "my_predict" })]);
    const missing = await ask(port, "GET /", "host: my-predit.localhost", AUTHORIZED);
    expect([missing.status, JSON.parse(missing.body)]).toMatchObject([
      404,
      { code: "not_found", detail: 'No function has the host "my-predit". Did you mean "my-predict"?' },
    ]);
    const [unknown, known] = await Promise.all(["my-predit", "my-predict"].map((label) => ask(port, "GET /", `host: ${label}.localhost`)));
    expect([unknown!.status, unknown!.body]).toEqual([401, known!.body]);
    const [optionsUnknown, optionsKnown] = await Promise.all(["my-predit", "my-predict"].map((label) => ask(port, "OPTIONS /", `host: ${label}.localhost`)));
    expect(optionsUnknown!.head.replace(/date: .*/i, "")).toBe(optionsKnown!.head.replace(/date: .*/i, ""));
  });
});

describe("the server's own host", () => {
  test.each(["localhost:1", "127.0.0.1", "[::1]:8700", "192.168.1.7:8700", "[fe80::1]", "samovar.example"])(
    "%s serves calls and the control API",
    async (host) => {
      const { port } = await startGateway([new FakeFunction()], { hosts: ["Samovar.Example:8700"] });
      for (const path of ["/endpoint/predict", "/api/v1/server"]) expect((await ask(port, `GET ${path}`, `host: ${host}`, AUTHORIZED)).status).toBe(200);
    },
  );

  test("a name that is not known gets neither, with what makes it known; health it may ask", async () => {
    const open = new FakeFunction({ name: "open", options: { authorized: false } });
    const { port } = await startGateway([open], { hosts: ["samovar.example"] });
    for (const path of ["/endpoint/open", "/api/v1/server", "/metrics", "/"]) {
      const { status, body } = await ask(port, `GET ${path}`, "host: evil.example:8700", AUTHORIZED);
      expect([path, status, JSON.parse(body)]).toMatchObject([path, 403, { code: "forbidden", detail: expect.stringContaining("SAMOVAR_HOSTS=evil.example") }]);
    }
    expect(open.calls).toEqual([]);
    expect((await ask(port, "GET /livez", "host: evil.example")).status).toBe(200);
  });

  test("the name that the server listens under is known", async () => {
    const { gateway } = await startGateway([new FakeFunction()]);
    await gateway.dispose({ graceMs: 0 });
    const named = await startGateway([new FakeFunction()], {}, "localhost");
    expect((await named.request("/endpoint/predict")).status).toBe(200);
  });

  test.each([
    ["none", []],
    ["an empty one", ["host:"]],
    ["two", ["host: localhost", "host: evil.example"]],
    ["one with a user", ["host: localhost@evil.example"]],
    ["one with a path", ["host: localhost/x"]],
    ["a bracket that doesn't close", ["host: [::1"]],
    ["a port that is none", ["host: localhost:80x"]],
  ])("a request with %s is malformed", async (_, headers) => {
    const { port } = await startGateway([new FakeFunction()]);
    const { status, head, body } = await ask(port, "GET /endpoint/predict", AUTHORIZED, ...headers);
    expect([status, JSON.parse(body)]).toMatchObject([400, { code: "invalid_request", detail: expect.stringContaining("Host") }]);
    expect(head).toMatch(/application\/problem\+json/);
  });

  test("a health check of HTTP/1.0 needs no Host", async () => {
    const { port } = await startGateway([]);
    expect(await new RawClient(port).send("GET /readyz HTTP/1.0\r\n\r\n").closed()).toMatch(/^HTTP\/1.1 200 /);
  });
});
