import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { CONTENT_TYPES, decodeValue, encodeItem, encodeItemEnd, encodeItemError, encodeValue, SamovarError, toSerializedError } from "@samovar/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { Client } from "./client.ts";
import type { ServerIsBack } from "./http-connection.ts";
import { createHttpTransport } from "./http-transport.ts";

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly input: unknown;
}

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/** A server that was there and is gone: its address, and how another one comes to the same. */
async function goneServer(answer: (request: Seen, response: ServerResponse) => unknown) {
  const { url, server, seen } = await openServer(answer);
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const comeBack = async (): Promise<void> => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  return { url, seen, comeBack };
}

/** A server that answers as the gateway does. */
async function openServer(
  answer: (request: Seen, response: ServerResponse) => unknown,
): Promise<{ url: string; seen: Seen[]; server: Server; connections: () => number }> {
  const seen: Seen[] = [];
  let connections = 0;
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const input: unknown = request.headers["content-type"] === CONTENT_TYPES.json ? JSON.parse(body.toString()) : decodeValue(body);
    const one = { method: request.method!, url: request.url!, headers: request.headers, input };
    seen.push(one);
    await answer(one, response);
  };
  const server = createServer((request, response) => void handle(request, response));
  server.on("connection", () => connections++);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, server, connections: () => connections };
}

const sendValue = (response: ServerResponse, value: unknown): void =>
  void response.writeHead(200, { "content-type": CONTENT_TYPES.value }).end(encodeValue(value));
const sendProblem = (response: ServerResponse, problem: { status: number; [key: string]: unknown }): void =>
  void response
    .writeHead(problem.status, { "content-type": CONTENT_TYPES.problem })
    .end(JSON.stringify({ type: "about:blank", title: "t", detail: "d", ...problem }));

function open(url: string, options: { token?: string; functionIds?: Record<string, string>; serverIsBack?: ServerIsBack } = {}) {
  const transport = createHttpTransport({ url, ...options });
  cleanups.unshift(() => transport.close());
  return transport;
}

const square = { kind: "function", name: "square" } as const;

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
};

describe("a call", () => {
  test("sends a value to the function's route and gives back a value, over one connection", async () => {
    const { url, seen, connections } = await openServer((request, response) => sendValue(response, request.input));
    const transport = open(url, { token: "secret" });
    const input = { date: new Date(5), map: new Map([[1, undefined]]), big: 5n };
    expect(await transport.call(square, input, {})).toEqual(input);
    expect(await transport.call({ kind: "cls", name: "model", method: "predict", parameters: ["large", { a: 1 }] }, 1, {})).toBe(1);
    expect(await transport.call({ kind: "endpoint", name: "hello" }, undefined, {})).toBe(undefined);
    expect(seen.map((request) => request.url)).toEqual([
      "/function/square",
      `/cls/model/predict?with=${encodeURIComponent('["large",{"a":1}]')}`,
      "/endpoint/hello",
    ]);
    expect(seen[0]!.headers).toMatchObject({ "content-type": CONTENT_TYPES.value, accept: CONTENT_TYPES.value, authorization: "Bearer secret" });
    expect(connections()).toBe(1);
  });

  test("inside a session goes by function id, and only to the session's functions", async () => {
    const { url, seen } = await openServer((_, response) => sendValue(response, 1));
    const transport = open(url, { functionIds: { square: "fn_1", model: "fn_2" } });
    await transport.call(square, 1, {});
    await transport.call({ kind: "cls", name: "model", method: "run" }, 1, {});
    expect(seen.map((request) => request.url)).toEqual(["/function/id/fn_1", "/cls/id/fn_2/run"]);
    await expect(transport.call({ kind: "function", name: "toString" }, 1, {})).rejects.toThrow("The app has no function toString. It has square, model");
  });

  test("scales by the session's id, and throws what the server refuses", async () => {
    const { url, seen } = await openServer((request, response) => {
      if ((request.input as { minContainers: number }).minContainers < 9) response.writeHead(200, { "content-type": CONTENT_TYPES.json }).end("{}");
      else sendProblem(response, { status: 400, code: "invalid_option", detail: "lower the floor" });
    });
    const transport = open(url, { token: "secret", functionIds: { square: "fn_1" } });
    await transport.scale(square, { minContainers: 1, maxContainers: null });
    expect(seen[0]).toMatchObject({ method: "PATCH", url: "/api/v1/functions/fn_1/scaling", input: { minContainers: 1, maxContainers: null } });
    expect(seen[0]!.headers).toMatchObject({ "content-type": CONTENT_TYPES.json, authorization: "Bearer secret" });
    await expect(transport.scale(square, { minContainers: 9 })).rejects.toMatchObject({ code: "invalid_option", message: "lower the floor" });
    await expect(transport.scale({ kind: "function", name: "other" }, {})).rejects.toMatchObject({ code: "not_found" });
  });

  test("throws the handler's error again, with its stack and cause", async () => {
    const thrown = new RangeError("too big", { cause: new Error("because") });
    const { url } = await openServer((_, response) => sendProblem(response, { status: 500, code: "handler_error", error: toSerializedError(thrown) }));
    const error = await open(url)
      .call(square, 1, {})
      .catch((caught: unknown) => caught as Error);
    expect(error).toMatchObject({ name: "RangeError", message: "too big", stack: thrown.stack, cause: { message: "because" } });
  });

  test("throws the server's own errors by their codes", async () => {
    const { url } = await openServer((_, response) =>
      sendProblem(response, { status: 422, code: "invalid_input", detail: "n is missing", issues: [{ message: "Required", path: ["n"] }] }),
    );
    const error = await open(url)
      .call(square, 1, {})
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(SamovarError);
    expect(error).toMatchObject({ code: "invalid_input", message: "n is missing", fields: { issues: [{ message: "Required", path: ["n"] }] } });
  });

  test("what is no problem document is told as it is", async () => {
    const { url } = await openServer((_, response) => void response.writeHead(502).end("Bad gateway"));
    await expect(open(url).call(square, 1, {})).rejects.toThrow("square: the server answered 502: Bad gateway");
  });

  test("gives what a Response of the handler's says", async () => {
    const { url } = await openServer((request, response) => {
      if (request.input === "text") response.writeHead(200, { "content-type": "text/plain" }).end("hi");
      else if (request.input === "json") response.writeHead(200, { "content-type": "application/json; charset=utf-8" }).end('{"a":1}');
      else if (request.input === "none") response.writeHead(204).end();
      else response.writeHead(200, { "content-type": "image/png" }).end(Buffer.from([1, 2]));
    });
    const transport = open(url);
    expect(await Promise.all(["text", "json", "none", "bytes"].map((input) => transport.call(square, input, {})))).toEqual([
      "hi",
      { a: 1 },
      undefined,
      new Uint8Array([1, 2]),
    ]);
  });

  test("aborting hangs up and rejects with the reason", async () => {
    const arrived = Promise.withResolvers<ServerResponse>();
    const { url } = await openServer((_, response) => arrived.resolve(response));
    const abort = new AbortController();
    const result = open(url).call(square, 1, { signal: abort.signal });
    const response = await arrived.promise;
    const hungUp = once(response, "close");
    abort.abort(new Error("enough"));
    await expect(result).rejects.toThrow("enough");
    await hungUp;
  });

  test("an input that can't be sent names the path", async () => {
    await expect(open("http://127.0.0.1:1").call(square, { fn: () => 1 }, {})).rejects.toMatchObject({
      code: "unserializable_input",
      fields: { path: "$.fn" },
    });
  });

  test("what met no server waits where its return can be told of, and is sent again once it is back", async () => {
    const { url, seen, comeBack } = await goneServer((_, response) => sendValue(response, "back"));
    const transport = open(url, { serverIsBack: () => comeBack() });
    expect(await transport.call({ kind: "function", name: "f" }, 1, {})).toBe("back");
    expect(seen).toHaveLength(1);
  });

  test("a server that stays away is told as such, with why", async () => {
    const { url } = await goneServer(() => {});
    const why = new Error("stayed away");
    const transport = open(url, { serverIsBack: () => Promise.reject(why) });
    await expect(transport.call({ kind: "function", name: "f" }, 1, {})).rejects.toMatchObject({ code: "server_unreachable", cause: why });
  });

  test("a server that is said to be there and isn't is soon given up, and so is one that nobody knows of", async () => {
    const { url } = await goneServer(() => {});
    let asked = 0;
    const transport = open(url, { serverIsBack: async () => void asked++ });
    await expect(transport.call({ kind: "function", name: "f" }, 1, {})).rejects.toMatchObject({ code: "server_unreachable", cause: { code: "ECONNREFUSED" } });
    expect(asked).toBe(3);
    await expect(open(url, { serverIsBack: () => undefined }).call({ kind: "function", name: "f" }, 1, {})).rejects.toMatchObject({
      code: "server_unreachable",
    });
  });

  test("of requests that were cut off only those that read are sent again", async () => {
    let cut = 0;
    const methods: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      methods.push(request.method);
      if (cut++ === 0) response.destroy();
      else response.writeHead(200, { "content-type": CONTENT_TYPES.json }).end(`{"id":"tk_1"}`);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanups.push(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const transport = open(url, { serverIsBack: () => Promise.resolve() });
    await expect(transport.call({ kind: "function", name: "f" }, 1, {})).rejects.toMatchObject({ code: "server_unreachable" });
    cut = 0;
    expect(await transport.taskInfo("tk_1")).toEqual({ id: "tk_1" });
    expect(methods).toEqual(["POST", "GET", "GET"]);
  });

  test("no server, or a URL that is none", async () => {
    const { url, server } = await openServer(() => {});
    await new Promise((resolve) => server.close(resolve));
    await expect(open(url).call(square, 1, {})).rejects.toMatchObject({
      code: "server_unreachable",
      message: expect.stringContaining(`No server answers at ${url}`),
    });
    await expect(open("localhost:8700").call(square, 1, {})).rejects.toThrow('url is "localhost:8700", but it takes a server\'s address');
  });
});

describe("a stream", () => {
  test("gives items however their bytes are cut, and ends with the stream", async () => {
    const { url, seen } = await openServer(async (_, response) => {
      response.writeHead(200, { "content-type": CONTENT_TYPES.values });
      const bytes = Buffer.concat([encodeItem("values", "one"), encodeItem("values", { two: 2n }), encodeItemEnd("values")!]);
      for (const byte of bytes) await new Promise((resolve) => response.write(Buffer.from([byte]), resolve));
      response.end();
    });
    expect(await collect(open(url).stream(square, 1, {}))).toEqual(["one", { two: 2n }]);
    expect(seen[0]!.headers.accept).toBe(CONTENT_TYPES.values);
  });

  test("throws the generator's error after the items before it", async () => {
    const { url } = await openServer((_, response) => {
      response.writeHead(200, { "content-type": CONTENT_TYPES.values });
      response.end(Buffer.concat([encodeItem("values", 1), encodeItemError("values", toSerializedError(new RangeError("late")))]));
    });
    const items = open(url).stream(square, 1, {})[Symbol.asyncIterator]();
    expect((await items.next()).value).toBe(1);
    await expect(items.next()).rejects.toThrow(new RangeError("late"));
  });

  test("one that breaks off says so", async () => {
    const { url } = await openServer((_, response) => {
      response.writeHead(200, { "content-type": CONTENT_TYPES.values });
      response.write(encodeItem("values", 1), () => response.destroy());
    });
    const items = open(url).stream(square, 1, {})[Symbol.asyncIterator]();
    expect((await items.next()).value).toBe(1);
    await expect(items.next()).rejects.toMatchObject({ code: "container_lost" });
  });

  test("leaving the loop hangs up", async () => {
    const hungUp = Promise.withResolvers<void>();
    const { url } = await openServer((_, response) => {
      response.on("close", hungUp.resolve);
      response.writeHead(200, { "content-type": CONTENT_TYPES.values });
      response.write(encodeItem("values", 1));
    });
    for await (const item of open(url).stream(square, 1, {})) {
      expect(item).toBe(1);
      break;
    }
    await hungUp.promise;
  });

  test("of a function with one result names .remote", async () => {
    const { url } = await openServer((_, response) => sendValue(response, 1));
    await expect(collect(open(url).stream(square, 1, {}))).rejects.toThrow("square returns one value, not a stream. Call it with .remote(input)");
  });
});

describe("a client", () => {
  test("reaches functions, endpoints and classes by how they are called", async () => {
    const { url, seen } = await openServer((request, response) => {
      if (request.headers.accept === CONTENT_TYPES.values)
        response.writeHead(200, { "content-type": CONTENT_TYPES.values }).end(Buffer.concat([encodeItem("values", request.input), encodeItemEnd("values")!]));
      else sendValue(response, request.input);
    });
    const client = new Client({ url, token: "t" });
    cleanups.unshift(() => client.close());
    const app = client.app<any>("models") as any;
    expect(await app.square.remote(1)).toBe(1);
    expect(await app.hello.request({ a: 1 })).toEqual({ a: 1 });
    expect(await collect(app.live.request(7))).toEqual([7]);
    expect(await collect(app.count.stream(2))).toEqual([2]);
    expect(await app.model.predict.remote(3)).toBe(3);
    expect(await app.model.remote.remote(4)).toBe(4);
    expect(await collect(app.model.with("large").tokens.stream(5))).toEqual([5]);
    expect(await collect(app.model.predict.map([6]))).toEqual([6]);
    expect(seen.map((request) => request.url)).toEqual([
      "/function/square",
      "/endpoint/hello",
      "/endpoint/live",
      "/function/count",
      "/cls/model/predict",
      "/cls/model/remote",
      `/cls/model/tokens?with=${encodeURIComponent('["large"]')}`,
      "/cls/model/predict",
    ]);
    expect(seen.every((request) => request.headers.authorization === "Bearer t")).toBe(true);
  });

  test("changes how a function scales, by its name and whatever it is", async () => {
    const { url, seen } = await openServer((_, response) => response.writeHead(200, { "content-type": CONTENT_TYPES.json }).end("{}"));
    const client = new Client({ url, token: "t" });
    cleanups.unshift(() => client.close());
    const app = client.app<any>("models", { suffix: "-dev" }) as any;
    await app.square.updateAutoscaler({ minContainers: 1, scaledownWindow: -1 });
    await app.model.with("large").keepWarm(0);
    expect(seen.map(({ method, url: path, input, headers }) => [method, path, input, headers.authorization])).toEqual([
      ["PATCH", "/api/v1/functions/square-dev/scaling", { minContainers: 1, scaledownWindowMs: null }, "Bearer t"],
      ["PATCH", "/api/v1/functions/model-dev/scaling", { minContainers: 0 }, "Bearer t"],
    ]);
    await expect(app.square.keepWarm(0.5)).rejects.toThrow("square-dev.keepWarm");
    expect(seen).toHaveLength(2);
  });

  test("adds what the server added to the names, and takes a token that is not set for none", async () => {
    const { url, seen } = await openServer((request, response) => sendValue(response, request.input));
    const token: string | undefined = undefined;
    const client = new Client({ url, token });
    cleanups.unshift(() => client.close());
    const app = client.app<any>("models", { suffix: "-dev" }) as any;
    expect(await app.square.remote(1)).toBe(1);
    expect(await app.hello.request(2)).toBe(2);
    expect(await app.model.with("large").predict.remote(3)).toBe(3);
    expect(seen.map((request) => request.url)).toEqual([
      "/function/square-dev",
      "/endpoint/hello-dev",
      `/cls/model-dev/predict?with=${encodeURIComponent('["large"]')}`,
    ]);
    expect(seen[0]!.headers.authorization).toBeUndefined();
  });
});
