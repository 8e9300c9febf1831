import { afterEach, describe, expect, test } from "vitest";
import { appendAnswerHeaders, appendSharedHeaders, scopeCookie } from "./answer-headers.ts";
import { ADMIN_TOKEN, FakeFunction, STARTED } from "./fakes.fixture.ts";
import { RawClient, disposeGateways, startGateway } from "./gateway.fixture.ts";

afterEach(disposeGateways);

const SANDBOX = ["content-security-policy", "sandbox"];
const NOSNIFF = ["x-content-type-options", "nosniff"];
const PREFIX = "/endpoint/predict";

const shared = (...headers: readonly (readonly [string, string])[]): unknown[] => appendSharedHeaders([], headers, () => PREFIX);

describe("an answer by path", () => {
  test.each([
    "text/html",
    "TEXT/HTML; charset=utf-8",
    "application/xhtml+xml",
    "image/svg+xml",
    "text/xml",
    "application/xml",
    "application/rss+xml",
    "text/xsl",
    "multipart/x-mixed-replace; boundary=x",
    "application/json, text/html",
    "unknown",
    "",
  ])("of the type %j is put into a sandbox", (type) => {
    expect(shared(["Content-Type", type])).toEqual(["Content-Type", type, ...SANDBOX, ...NOSNIFF]);
  });

  test.each(["application/json", "text/plain; charset=utf-8", "application/x-ndjson", "text/event-stream", "image/png", "application/pdf", "video/mp4"])(
    "of the type %j is not",
    (type) => {
      expect(shared(["content-type", type])).toEqual(["content-type", type, ...NOSNIFF]);
    },
  );

  test("without a type, or with one of two that is active, is put into a sandbox", () => {
    expect(shared()).toEqual([...SANDBOX, ...NOSNIFF]);
    expect(shared(["content-type", "text/html"], ["content-type", "application/json"]).slice(4)).toEqual([...SANDBOX, ...NOSNIFF]);
  });

  test("keeps the handler's own policy beside the sandbox: a browser follows both", () => {
    const own = ["content-security-policy", "default-src 'self'; sandbox allow-scripts"] as const;
    expect(shared(own, ["content-type", "text/html"])).toEqual([...own, "content-type", "text/html", ...SANDBOX, ...NOSNIFF]);
  });

  test("says nothing for the whole origin", () => {
    const dropped = ["Clear-Site-Data", "service-worker-allowed", "strict-transport-security", "alt-svc", "NEL", "report-to", "X-Content-Type-Options"];
    expect(shared(["content-type", "image/png"], ...dropped.map((name) => [name, "x"] as const))).toEqual(["content-type", "image/png", ...NOSNIFF]);
  });

  test("sets cookies for its function only", () => {
    expect(shared(["content-type", "image/png"], ["Set-Cookie", "a=1; Path=/; HttpOnly"])).toContain("a=1; HttpOnly; Path=/endpoint/predict");
  });
});

test("an answer on the function's own host is as the handler made it, but for what is the gateway's", () => {
  const headers = [
    ["content-type", "text/html"],
    ["set-cookie", "a=1; Path=/"],
    ["clear-site-data", "*"],
    ["content-length", "5"],
    ["x-samovar-version", "9"],
  ] as const;
  expect(appendAnswerHeaders([], headers)).toEqual(headers.slice(0, 3).flat());
});

test("a cookie on the function's own host keeps its path, and reaches no other host", () => {
  expect(scopeCookie("a=1; Domain=samovar.example; Path=/; HttpOnly", null)).toBe("a=1; Path=/; HttpOnly");
});

test.each([
  ["a=1", "a=1; Path=/endpoint/predict"],
  ["a=1; Secure; HttpOnly", "a=1; Secure; HttpOnly; Path=/endpoint/predict"],
  ["a=1; Domain=example.com; SameSite=Lax", "a=1; SameSite=Lax; Path=/endpoint/predict"],
  ["a=1; path=/api", "a=1; Path=/endpoint/predict"],
  ["a=1; Path=/endpoint/predict/below", "a=1; Path=/endpoint/predict/below"],
  ["a=1; Path=/endpoint/predictor", "a=1; Path=/endpoint/predict"],
  ["a=1; Path=/endpoint/predict; PATH=/", "a=1; Path=/endpoint/predict"],
  ["a=b=c; Max-Age=1", "a=b=c; Max-Age=1; Path=/endpoint/predict"],
])("the cookie %j becomes %j", (cookie, scoped) => {
  expect(scopeCookie(cookie, PREFIX)).toBe(scoped);
});

test("through the gateway: the same handler by path, by id, streamed, and on its own host", async () => {
  const head = {
    status: 200,
    headers: [
      ["content-type", "text/html"],
      ["set-cookie", "a=1"],
    ] as [string, string][],
  };
  const page = new FakeFunction({
    name: "page",
    run: ({ input, sink }) => {
      sink.started(STARTED);
      if (input.body!.length === 2) return sink.result(head, Buffer.from("<p>"));
      sink.head(head);
      sink.end();
    },
  });
  const { port } = await startGateway([page]);
  const ask = (path: string, host: string): Promise<string> =>
    new RawClient(port).send([`GET ${path} HTTP/1.1`, `host: ${host}`, `authorization: Bearer ${ADMIN_TOKEN}`, "connection: close"]).closed();
  for (const [path, cookie] of [
    ["/endpoint/page", "/endpoint/page"],
    ["/endpoint/page@1?streamed", "/endpoint/page@1"],
    ["/endpoint/id/fn_page_1/", "/endpoint/id/fn_page_1"],
  ] as const) {
    const text = await ask(path, "localhost");
    expect(text).toMatch(/^HTTP\/1.1 200 .*content-security-policy: sandbox\r\nx-content-type-options: nosniff\r\n/s);
    expect(text).toContain(`set-cookie: a=1; Path=${cookie}\r\n`);
  }
  const own = await ask("/", "page.localhost");
  expect(own).toContain("set-cookie: a=1\r\n");
  expect(own).not.toMatch(/sandbox|nosniff/);
});
