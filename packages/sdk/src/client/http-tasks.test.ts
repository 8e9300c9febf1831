import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  CONTENT_TYPES,
  decodeValue,
  encodeItem,
  encodeItemEnd,
  encodeValue,
  SamovarError,
  toSerializedError,
  type CallTarget,
  type PutTasksRequest,
} from "@samovar/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { Client } from "./client.ts";
import { createHttpTransport } from "./http-transport.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

type Answer = (request: Seen, response: ServerResponse) => unknown;

async function listen(answer: Answer, port = 0): Promise<{ url: string; port: number; seen: Seen[]; close: () => Promise<void> }> {
  const seen: Seen[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
    const one = { method: request.method!, url: request.url!, headers: request.headers, body };
    seen.push(one);
    await answer(one, response);
  };
  const server = createServer((request, response) => void handle(request, response));
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  cleanups.push(close);
  const address = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${address.port}`, port: address.port, seen, close };
}

function connect(url: string, functionIds?: Record<string, string>) {
  const transport = createHttpTransport({ url, token: "t", functionIds });
  cleanups.push(() => transport.close());
  return transport;
}

function openClient(url: string): Client {
  const client = new Client({ url, token: "t" });
  cleanups.push(() => client.close());
  return client;
}

const sendValue = (response: ServerResponse, value: unknown, status = 200): void =>
  void response.writeHead(status, { "content-type": CONTENT_TYPES.value }).end(encodeValue(value));
const sendJson = (response: ServerResponse, value: unknown): void =>
  void response.writeHead(200, { "content-type": CONTENT_TYPES.json }).end(JSON.stringify(value));
const sendProblem = (response: ServerResponse, status: number, problem: object): void =>
  void response
    .writeHead(status, { "content-type": CONTENT_TYPES.problem })
    .end(JSON.stringify({ type: "about:blank", title: "t", status, detail: "d", ...problem }));

const inputsOf = (body: Buffer): unknown[] =>
  (decodeValue(body) as PutTasksRequest).tasks.map(({ encodedInput }) => encodedInput && decodeValue(Buffer.from(encodedInput)));

/** Ids are of the inputs. */
const putAnswer: Answer = ({ body }, response) =>
  sendValue(response, { tasks: inputsOf(body).map((input) => ({ id: `tk_${typeof input === "number" ? input : "x"}`, created: true })) }, 202);

describe("putting", () => {
  test("sends all inputs as values in one request, to the function's name or the session's id", async () => {
    const { url, seen } = await listen((request, response) => {
      const { tasks } = decodeValue(request.body) as PutTasksRequest;
      sendValue(response, { tasks: tasks.map((_, i) => ({ id: `tk_${i}`, created: true })) }, 202);
    });
    const input = { at: new Date(5), map: new Map([[1, 2n]]) };
    const results = await connect(url).put({ kind: "cls", name: "model", method: "run", parameters: ["large"] }, [{ input, delayMs: 5 }, {}], {});
    expect(results.map(({ id }) => id)).toEqual(["tk_0", "tk_1"]);
    await connect(url, { square: "fn_1" }).put({ kind: "function", name: "square" }, [{ input: 1 }], {});
    expect(seen.map((request) => `${request.method} ${request.url}`)).toEqual([
      `POST /api/v1/functions/model/tasks?method=run&with=${encodeURIComponent('["large"]')}`,
      "POST /api/v1/functions/fn_1/tasks",
    ]);
    expect(seen[0]!.headers).toMatchObject({ "content-type": CONTENT_TYPES.value, authorization: "Bearer t" });
    expect(decodeValue(seen[0]!.body)).toEqual({ tasks: [{ encodedInput: Uint8Array.from(encodeValue(input)), delayMs: 5 }, {}] });
  });

  test("throws what the server refuses", async () => {
    const { url } = await listen((_, response) => sendProblem(response, 422, { code: "idempotency_conflict", detail: "another input" }));
    await expect(connect(url).put({ kind: "taskqueue", name: "q" }, [{}], {})).rejects.toMatchObject({
      code: "idempotency_conflict",
      message: "another input",
    });
  });

  test("shares a request with what is put meanwhile, and with nothing of another function, method or other arguments", async () => {
    const { url, seen } = await listen(putAnswer);
    const transport = connect(url);
    const model = { kind: "cls", name: "model", method: "run" } as const;
    const targets: CallTarget[] = [{ kind: "taskqueue", name: "q" }, model, { ...model, method: "stop" }, { ...model, parameters: [1] }];
    const results = await Promise.all([...targets, ...targets].map((target, input) => transport.put(target, [{ input }], {})));
    expect(results.map(([one]) => one!.id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((input) => `tk_${input}`));
    expect(new Map(seen.map(({ url: path, body }) => [path, inputsOf(body)]))).toEqual(
      new Map([
        ["/api/v1/functions/q/tasks", [0, 4]],
        ["/api/v1/functions/model/tasks?method=run", [1, 5]],
        ["/api/v1/functions/model/tasks?method=stop", [2, 6]],
        ["/api/v1/functions/model/tasks?method=run&with=%5B1%5D", [3, 7]],
      ]),
    );
    expect(seen).toHaveLength(4);
  });

  test("goes by itself with a signal, with many inputs, and with a large one", async () => {
    const { url, seen } = await listen(putAnswer);
    const transport = connect(url);
    const abort = new AbortController();
    const q = { kind: "taskqueue", name: "q" } as const;
    const large = new Uint8Array(65 * 1024);
    await Promise.all([
      transport.put(q, [{ input: 1 }], {}),
      transport.put(q, [{ input: 2 }], { signal: abort.signal }),
      transport.put(q, [{ input: 3 }], {}),
      transport.put(q, [{ input: 4 }, { input: 5 }], {}),
      transport.put(q, [{ input: large }], {}),
    ]);
    const inputs = seen.map(({ body }) => inputsOf(body));
    expect(inputs).toHaveLength(4);
    expect(inputs).toEqual(expect.arrayContaining([[1, 3], [2], [4, 5], [large]]));
  });

  test("refuses to the one that can't be sent, and queues those beside it", async () => {
    const { url, seen } = await listen(putAnswer);
    const transport = connect(url);
    const q = { kind: "taskqueue", name: "q" } as const;
    const ends = await Promise.allSettled([1, () => 2, 3].map((input) => transport.put(q, [{ input }], {})));
    expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(ends[1]).toMatchObject({ reason: { code: "unserializable_input" } });
    expect(seen.map(({ body }) => inputsOf(body))).toEqual([[1, 3]]);
  });

  test("fails where the transport is closed meanwhile, whether it was sent or waited, and works again after it", async () => {
    const arrived = Promise.withResolvers<void>();
    let isAway = true;
    const { url } = await listen((request, response) => (isAway ? arrived.resolve() : putAnswer(request, response)));
    const transport = connect(url);
    const q = { kind: "taskqueue", name: "q" } as const;
    const sent = transport.put(q, [{ input: 1 }], {}).catch((error: unknown) => error);
    await arrived.promise;
    const waiting = transport.put(q, [{ input: 2 }], {}).catch((error: unknown) => error);
    transport.close();
    expect(await waiting).toMatchObject({ code: "cancelled" });
    expect(await sent).toMatchObject({ code: "server_unreachable" });
    isAway = false;
    expect(await transport.put(q, [{ input: 3 }], {})).toEqual([{ id: "tk_3", created: true }]);
  });

  test("fails for all of a request whose connection is lost", async () => {
    let requests = 0;
    const { url } = await listen((_, response) => {
      requests++;
      response.destroy();
    });
    const transport = connect(url);
    const ends = await Promise.allSettled([1, 2].map((input) => transport.put({ kind: "taskqueue", name: "q" }, [{ input }], {})));
    expect(ends.map((end) => (end as PromiseRejectedResult).reason.code)).toEqual(["server_unreachable", "server_unreachable"]);
    expect(requests).toBe(1);
  });
});

describe("a result", () => {
  test("is asked for again while it isn't there, and waited for at the server", async () => {
    let asked = 0;
    const { url, seen } = await listen((_, response) => (++asked < 3 ? response.writeHead(202).end() : sendValue(response, { done: 1n })));
    expect(await connect(url).taskResult("tk_1", {})).toEqual({ done: 1n });
    expect(seen.map((request) => request.url)).toEqual([1, 2, 3].map(() => "/api/v1/tasks/tk_1/result?wait=50000ms"));
    expect(seen[0]!.headers).toMatchObject({ accept: CONTENT_TYPES.value, authorization: "Bearer t" });
  });

  test("that isn't there in time is a timeout, which names the task", async () => {
    const { url, seen } = await listen((_, response) => response.writeHead(202).end());
    const error = await connect(url)
      .taskResult("tk_1", { timeoutMs: 0 })
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "timeout", fields: { taskId: "tk_1" } });
    expect(seen.map((request) => request.url)).toEqual(["/api/v1/tasks/tk_1/result?wait=0ms"]);
    await expect(connect(url).taskResult("tk_1", { timeoutMs: 120 })).rejects.toThrow(
      "The task tk_1 is not over after 0.12 s. It goes on: ask again, or cancel it",
    );
  });

  test("is what the task threw, also where that looks like a server that is away", async () => {
    const thrown = new RangeError("no 7", { cause: new Error("because") });
    const lost = new SamovarError("server_unreachable", "the handler's own call");
    const answers: [number, object][] = [
      [500, { code: "handler_error", error: toSerializedError(thrown) }],
      [503, { code: "handler_error", error: toSerializedError(lost) }],
      [499, { code: "cancelled" }],
      [410, { code: "expired" }],
      [404, { code: "not_found" }],
      [504, { code: "timeout" }],
    ];
    const { url } = await listen((request, response) => sendProblem(response, ...answers[Number(/tk_(\d)/.exec(request.url)![1])]!));
    const transport = connect(url);
    const errors = await Promise.all(answers.map((_, i) => transport.taskResult(`tk_${i}`, {}).catch((caught: unknown) => caught)));
    expect(errors[0]).toMatchObject({ name: "RangeError", message: "no 7", stack: thrown.stack, cause: { message: "because" } });
    expect(errors.slice(1).map((error) => (error as SamovarError).code)).toEqual(["server_unreachable", "cancelled", "expired", "not_found", "timeout"]);
  });

  test("is waited for through a restart of the server", async () => {
    const asked = Promise.withResolvers<void>();
    const first = await listen(() => asked.resolve());
    const result = connect(first.url).taskResult("tk_1", { timeoutMs: 60_000 });
    await asked.promise;
    await first.close();
    let times = 0;
    await listen((_, response) => {
      // What a proxy says while the server behind it starts, then one that stops again.
      times++;
      if (times === 1) response.writeHead(502).end("Bad gateway");
      else if (times === 2) sendProblem(response, 503, { code: "shutting_down" });
      else sendValue(response, "done");
    }, first.port);
    expect(await result).toBe("done");
    expect(times).toBe(3);
  });

  test("is not waited for when its timeout passes or the caller leaves", async () => {
    const { url, close } = await listen(() => {});
    await close();
    const transport = connect(url);
    const error = await transport.taskResult("tk_1", { timeoutMs: 30 }).catch((caught: unknown) => caught as SamovarError);
    expect(error).toMatchObject({ code: "timeout", cause: { code: "server_unreachable" } });
    const abort = new AbortController();
    const waiting = transport.taskResult("tk_1", { signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
  });
});

describe("a client", () => {
  test("knows tasks by their ids: result, status, cancel, events", async () => {
    const { url, seen } = await listen((request, response) => {
      if (request.url.endsWith("/cancel")) return sendJson(response, { task: {}, changed: true });
      if (request.headers.accept === CONTENT_TYPES.json) return sendJson(response, { id: "tk_1", status: "RUNNING" });
      if (request.headers.accept !== CONTENT_TYPES.sse) return sendValue(response, 7);
      response.writeHead(200, { "content-type": CONTENT_TYPES.sse });
      response.write(': awake\n\nevent: status\ndata: {"status":"RUN');
      return response.end('NING"}\r\n\r\nevent: status\ndata: {"status":"COMPLETE"}\n\nevent: end\ndata: {"status":"COMPLETE"}\n\n');
    });
    const task = openClient(url).task<number>("tk_1");
    expect([await task.result(), await task.result({ wait: "5s" }), await task.result({ wait: false }), await task.get()]).toEqual([7, 7, 7, 7]);
    expect([await task.status(), (await task.info()).id, await task.cancel()]).toEqual(["RUNNING", "tk_1", true]);
    expect((await Array.fromAsync(task.events())).map(({ status }) => status)).toEqual(["RUNNING", "COMPLETE"]);
    expect(seen.map((request) => `${request.method} ${request.url}`)).toEqual([
      "GET /api/v1/tasks/tk_1/result?wait=50000ms",
      "GET /api/v1/tasks/tk_1/result?wait=5000ms",
      "GET /api/v1/tasks/tk_1/result?wait=0ms",
      "GET /api/v1/tasks/tk_1/result?wait=50000ms",
      "GET /api/v1/tasks/tk_1",
      "GET /api/v1/tasks/tk_1",
      "POST /api/v1/tasks/tk_1/cancel",
      "GET /api/v1/tasks/tk_1",
    ]);
  });

  test("is told of a task that there is not", async () => {
    const { url } = await listen((_, response) => sendProblem(response, 404, { code: "not_found", detail: "No task tk_1" }));
    const task = openClient(url).task("tk_1");
    for (const asked of [task.result(), task.status(), task.cancel(), Array.fromAsync(task.events())])
      await expect(asked).rejects.toMatchObject({ code: "not_found", message: "No task tk_1" });
  });

  test("leaving the loop over events hangs up", async () => {
    const left = Promise.withResolvers<void>();
    const { url } = await listen((_, response) => {
      response.on("close", () => left.resolve());
      response.writeHead(200, { "content-type": CONTENT_TYPES.sse });
      response.write('event: status\ndata: {"status":"RUNNING"}\n\n');
    });
    for await (const change of openClient(url).task("tk_1").events()) {
      expect(change.status).toBe("RUNNING");
      break;
    }
    await left.promise;
  });

  test("calls and queues functions of whatever kind, by name and by id", async () => {
    const lists: Record<string, unknown> = {
      "/api/v1/deployments": {
        deployments: [
          { name: "Hello", id: "fn_1", kind: "endpoint" },
          { name: "orders", id: "fn_2", kind: "taskqueue" },
        ],
      },
      "/api/v1/functions": { functions: [{ name: "square-dev", id: "fn_3", kind: "function" }] },
    };
    const { url, seen } = await listen((request, response) => {
      if (lists[request.url]) return sendJson(response, lists[request.url]);
      if (request.url.endsWith("/tasks")) return sendValue(response, { tasks: [{ id: "tk_1", created: true }] }, 202);
      if (request.headers.accept === CONTENT_TYPES.values)
        return void response
          .writeHead(200, { "content-type": CONTENT_TYPES.values })
          .end(Buffer.concat([encodeItem("values", 1), encodeItem("values", 2), encodeItemEnd("values")!]));
      return sendValue(response, request.url);
    });
    const client = openClient(url);
    const hello = client.deployment("hello");
    expect([await hello.request(1), await hello.request(2)]).toEqual(["/endpoint/hello", "/endpoint/hello"]);
    expect(await client.function("fn_3").request(1)).toBe("/function/id/fn_3");
    expect(await client.deployment("orders").request({ id: 1 })).toBe("/api/v1/tasks/tk_1/result?wait=50000ms");
    expect(await client.deployment("model").request(1, { method: "run", with: [2] })).toBe("/cls/model/run?with=%5B2%5D");
    expect(await Array.fromAsync(client.function("fn_3").stream(3))).toEqual([1, 2]);
    const task = await client.deployment("orders").submit({ id: 2 }, { delay: 3 });
    expect([task.id, task.created, await task.result()]).toEqual(["tk_1", true, "/api/v1/tasks/tk_1/result?wait=50000ms"]);
    await client.function("fn_3").submit();
    expect(seen.filter(({ method }) => method === "POST").map((request) => request.url)).toContain("/api/v1/functions/fn_3/tasks");
    expect(decodeValue(seen.findLast(({ url: path }) => path.startsWith("/api/v1/functions/orders"))!.body)).toEqual({
      tasks: [{ encodedInput: Uint8Array.from(encodeValue({ id: 2 })), delayMs: 3_000 }],
    });
    await expect(client.deployment("nope").request(1)).rejects.toMatchObject({ code: "not_found" });
    await expect(client.deployment("orders").submit(1, { dely: 1 } as never)).rejects.toThrow('did you mean "delay"?');
  });

  test("makes what is behind a name once, however often it is asked for", () => {
    const client = openClient("http://127.0.0.1:1");
    const app = client.app<any>("shop") as any;
    expect(app.orders.put).toBe(app.orders.put);
    expect(app.orders.put).not.toBe(app.payments.put);
    const { put } = app.orders;
    for (let i = 0; i < 1_000; i++) void app[`other${i}`];
    expect([app.orders.put === put, typeof app.orders.put]).toEqual([false, "function"]);
  });

  test("queues what an app's module types say", async () => {
    const { url, seen } = await listen((request, response) => {
      const tasks = request.body.length ? (decodeValue(request.body) as PutTasksRequest).tasks : [];
      sendValue(response, request.method === "GET" ? 9 : { tasks: tasks.map((_, i) => ({ id: `tk_${i}`, created: true })) });
    });
    const app = openClient(url).app<any>("shop", { suffix: "-dev" }) as any;
    const task = await app.orders.put({ id: 1 }, { ttl: 1 });
    expect([task.id, await task.get()]).toEqual(["tk_0", 9]);
    expect(await app.orders.putMany([1, 2])).toHaveLength(2);
    await app.square.spawn(1);
    await app.square.spawnMap([1]);
    await app.model.predict.spawn(1);
    await app.model.with("large").predict.spawnMap([1]);
    expect(seen.filter(({ method }) => method === "POST").map((request) => request.url)).toEqual([
      "/api/v1/functions/orders-dev/tasks",
      "/api/v1/functions/orders-dev/tasks",
      "/api/v1/functions/square-dev/tasks",
      "/api/v1/functions/square-dev/tasks",
      "/api/v1/functions/model-dev/tasks?method=predict",
      `/api/v1/functions/model-dev/tasks?method=predict&with=${encodeURIComponent('["large"]')}`,
    ]);
    await expect(app.square.spawn(1, { dely: 1 })).rejects.toThrow("square-dev.spawn at ");
  });
});
