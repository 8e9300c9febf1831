import * as http from "node:http";
import { createServer, type Socket } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { FakeClock } from "@samovar/kit";
import { never, startReceiver, TellingClock } from "./callbacks.fixture.ts";
import { CallbackConnections, postCallback } from "./post-callback.ts";
import { SELF_SIGNED } from "./self-signed.fixture.ts";
import { TargetGuard } from "./target-guard.ts";
import { createTargetRules } from "./target-rules.ts";

const guard = new TargetGuard({ rules: createTargetRules([], []), ownPort: () => null });

function post(url: string, more: { clock?: FakeClock; signal?: AbortSignal; connections?: CallbackConnections; guard?: TargetGuard } = {}) {
  const connections = more.connections ?? new CallbackConnections();
  onTestFinished(() => connections.dispose());
  const { clock = new FakeClock(), signal = new AbortController().signal } = more;
  const target = (more.guard ?? guard).check(url);
  return postCallback({ connections, target, headers: {}, body: Buffer.from("{}"), timeoutMs: 15_000, clock, signal });
}

/** Speaks bytes. */
async function startRaw(answer: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => answer(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("answers", () => {
  test("of a huge body the first KiB is read, and the connection closed", async () => {
    const closed = Promise.withResolvers<void>();
    const { url } = await startReceiver((_, response) => {
      response.writeHead(500);
      response.on("close", closed.resolve);
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
      };
      response.on("drain", more);
      more();
    });
    expect(await post(url)).toMatchObject({ kind: "answered", status: 500, text: "x".repeat(1_024) });
    await closed.promise;
  });

  test("that come byte by byte are given up after 15 s in all", async () => {
    const arrived = Promise.withResolvers<void>();
    const url = await startRaw((socket) => {
      socket.write("HTTP/1.1 2");
      socket.write("00");
      arrived.resolve();
    });
    const clock = new FakeClock();
    const posting = post(url, { clock });
    await arrived.promise;
    clock.advance(15_000);
    expect(await posting).toEqual({ kind: "unanswered", error: "No answer within 15 s", isFinal: false });
  });

  test("with a head count, whatever becomes of the body", async () => {
    const url = await startRaw((socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx", () => socket.destroy()));
    expect(await post(url)).toMatchObject({ kind: "answered", status: 200 });

    const clock = new FakeClock();
    const slow = await startRaw((socket) => void socket.write("HTTP/1.1 204 OK\r\ntransfer-encoding: chunked\r\n\r\n"));
    expect(await post(slow, { clock })).toMatchObject({ status: 204 });
  });

  test("whose body hangs end after a second", async () => {
    const url = await startRaw((socket) => void socket.write("HTTP/1.1 503 Down\r\ncontent-length: 100\r\n\r\nfor repair"));
    const clock = new TellingClock();
    const posting = post(url, { clock });
    // That of the body is set when the head has come.
    await clock.untilSet(1_000);
    clock.advance(1_000);
    expect(await posting).toMatchObject({ status: 503 });
  });

  test.each([
    ["no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", "Parse Error"],
    ["a head without end", `HTTP/1.1 200 OK\r\nx: ${"x".repeat(100_000)}`, "Parse Error"],
    ["nothing", "", "socket hang up"],
    ["another protocol", "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", "closed without an answer"],
  ])("that are %s are failures", async (_, text, error) => {
    const url = await startRaw((socket) => void socket.end(text));
    expect(await post(url)).toMatchObject({ kind: "unanswered", error: expect.stringContaining(error), isFinal: false });
  });
});

describe("connections", () => {
  test("are kept for the next callback; one that the receiver closed meanwhile is made anew", async () => {
    const ports: number[] = [];
    const receiver = await startReceiver((_, response) => {
      ports.push(response.socket!.remotePort!);
      response.end("ok");
    });
    const connections = new CallbackConnections();
    await post(receiver.url, { connections });
    await post(receiver.url, { connections });
    expect(ports[0]).toBe(ports[1]);
    const { port } = receiver;
    await receiver.close();
    await receiver.listen(port);
    expect(await post(receiver.url, { connections })).toMatchObject({ status: 200 });
  });

  test("that break on reuse are no failure of the receiver", async () => {
    let requests = 0;
    const url = await startRaw((socket) => {
      requests += 1;
      // Answers the first request of each connection, and breaks the connection at the second.
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      socket.once("data", () => {
        requests += 1;
        socket.resetAndDestroy();
      });
    });
    const connections = new CallbackConnections();
    expect(await post(url, { connections })).toMatchObject({ status: 200 });
    expect(await post(url, { connections })).toMatchObject({ status: 200 });
    expect(requests).toBe(3);
  });

  test("are given up by the signal, also before they are there", async () => {
    const receiver = await startReceiver(never);
    const stop = new AbortController();
    const clock = new FakeClock();
    const posting = post(receiver.url, { signal: stop.signal, clock });
    await receiver.until(1);
    stop.abort();
    expect([await posting, await post(receiver.url, { signal: stop.signal, clock }), clock.pending]).toEqual([null, null, 0]);
  });

  test("go past a proxy that the environment names", async () => {
    const [proxy, receiver] = [await startReceiver(), await startReceiver()];
    const restore = http.setGlobalProxyFromEnv({ http_proxy: proxy.url, https_proxy: proxy.url });
    onTestFinished(restore);
    expect(await post(receiver.url)).toMatchObject({ status: 200 });
    expect([proxy.received.length, receiver.received.length]).toEqual([0, 1]);
  });

  test("over TLS need a certificate that is trusted, for the name of the URL", async () => {
    const receiver = await startReceiver(undefined, SELF_SIGNED);
    expect(await post(receiver.url)).toMatchObject({ kind: "unanswered", error: expect.stringContaining("self-signed certificate"), isFinal: false });

    const before = getCACertificates();
    setDefaultCACertificates([...before, SELF_SIGNED.cert]);
    onTestFinished(() => setDefaultCACertificates(before));
    expect(await post(receiver.url)).toMatchObject({ status: 200 });
    expect(await post(`https://localhost:${receiver.port}`)).toMatchObject({ status: 200 });
    const byOtherName = new TargetGuard({ rules: createTargetRules([], []), ownPort: () => null, resolve: async () => [{ address: "127.0.0.1", family: 4 }] });
    const answer = await post(`https://other.example:${receiver.port}`, { guard: byOtherName });
    expect(answer).toMatchObject({ kind: "unanswered", error: expect.stringContaining("other.example") });
  });
});
