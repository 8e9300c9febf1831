import { connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { ADMIN_TOKEN, FakeFunction, JSON_HEAD, STARTED } from "./fakes.fixture.ts";
import { disposeGateways, startGateway } from "./gateway.fixture.ts";

afterEach(disposeGateways);

const MIB = 1024 * 1024;
const SIZE = 1024 * MIB;
/** Of the whole process, with the client in it and what the collector has not taken yet. */
const MAX_GROWTH = 200 * MIB;
const TIMEOUT_MS = 120_000;
const chunk = Buffer.alloc(64 * 1024, "x");

const head = (...lines: readonly string[]): string =>
  [
    "POST /endpoint/predict HTTP/1.1",
    "host: localhost",
    `authorization: Bearer ${ADMIN_TOKEN}`,
    "content-type: application/octet-stream",
    ...lines,
    "",
    "",
  ].join("\r\n");

/** The most memory that this process had over what it had at first, at all the times it was asked. */
function watchMemory(): { look(): void; readonly growth: number } {
  const before = process.memoryUsage.rss();
  let most = before;
  return {
    look: () => {
      most = Math.max(most, process.memoryUsage.rss());
    },
    get growth() {
      return most - before;
    },
  };
}

/** The loop's other work goes first. */
const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test(
  "a body of 1 GiB goes to a reader that is slow in bounded memory",
  async () => {
    const memory = watchMemory();
    const read = new FakeFunction({
      run: ({ input, sink }) => {
        sink.started(STARTED);
        void (async () => {
          let size = 0;
          for await (const part of input.bodyStream!) {
            size += part.length;
            memory.look();
            await pause();
          }
          sink.result(JSON_HEAD, Buffer.from(String(size)));
        })();
      },
    });
    const { port } = await startGateway([read], { maxBodyBytes: 2 * SIZE });
    const socket = connect(port, "127.0.0.1");
    socket.write(head(`content-length: ${SIZE}`, "connection: close"));
    let left = SIZE;
    const push = (): void => {
      while (left > 0) {
        left -= chunk.length;
        if (!socket.write(chunk)) return;
      }
    };
    socket.on("drain", push);
    push();
    let text = "";
    for await (const part of socket) text += String(part);
    expect(text).toMatch(new RegExp(`^HTTP/1.1 200 .*\r\n\r\n${SIZE}$`, "s"));
    expect(memory.growth).toBeLessThan(MAX_GROWTH);
  },
  TIMEOUT_MS,
);

test(
  "an answer of 1 GiB goes to a client that is slow in bounded memory",
  async () => {
    const memory = watchMemory();
    const write = new FakeFunction({
      run: ({ sink }) => {
        sink.started(STARTED);
        sink.head({ status: 200, headers: [["content-length", String(SIZE)]] });
      },
    });
    const { port } = await startGateway([write]);
    const socket = connect(port, "127.0.0.1");
    socket.write(head("content-length: 0", "connection: close"));
    await write.until(() => write.calls.length === 1);
    // As a worker does: it stops when it is told to, and goes on when it may.
    const fill = async (): Promise<void> => {
      const { sink } = write.calls[0]!;
      for (let sent = 0; sent < SIZE; sent += chunk.length) {
        const { resumed } = write;
        memory.look();
        if (!sink.data(chunk)) await write.until(() => write.resumed > resumed);
      }
      sink.end();
    };
    const filling = fill();
    let size = 0;
    for await (const part of socket) {
      size += (part as Buffer).length;
      await pause();
    }
    await filling;
    expect(size).toBeGreaterThan(SIZE);
    expect(memory.growth).toBeLessThan(MAX_GROWTH);
  },
  TIMEOUT_MS,
);
