import { once } from "node:events";
import { expect, test } from "vitest";
import { createConnectedPair } from "./connected-pair.ts";

test("what one end writes the other reads, in order, both ways", async () => {
  const [server, worker] = createConnectedPair().ends;
  worker.write("a");
  worker.end("b");
  server.end("c");
  expect(await text(server)).toBe("ab");
  expect(await text(worker)).toBe("c");
});

test("a write is not delivered inside the write", () => {
  const [server, worker] = createConnectedPair().ends;
  let read = "";
  server.on("data", (chunk) => (read += chunk));
  worker.write("late");
  expect(read).toBe("");
});

test("a reader that does not read holds up the writer", async () => {
  const [server, worker] = createConnectedPair().ends;
  const chunk = Buffer.alloc(64 * 1024);
  let written = 0;
  while (worker.write(chunk)) written++;
  expect(written).toBeLessThan(10);
  const drained = once(worker, "drain");
  server.resume();
  await drained;
});

test("destroying one end closes the other after what was written before", async () => {
  const [server, worker] = createConnectedPair().ends;
  worker.write("last words");
  const closed = once(server, "close");
  await new Promise<void>((resolve) => queueMicrotask(resolve));
  worker.destroy();
  expect(await text(server)).toBe("last words");
  await closed;
});

test("a held pair delivers nothing until it is released, and still closes", async () => {
  const pair = createConnectedPair();
  const [server, worker] = pair.ends;
  let read = "";
  worker.on("data", (chunk) => (read += chunk));
  pair.hold();
  server.write("ping");
  await turn();
  expect(read).toBe("");
  pair.release();
  await turn();
  expect(read).toBe("ping");
  pair.hold();
  const closed = once(server, "close");
  server.resume();
  worker.destroy();
  await closed;
});

test("injected bytes arrive although the pair is held", async () => {
  const pair = createConnectedPair();
  pair.hold();
  pair.inject(Buffer.from("garbage"));
  const [chunk] = (await once(pair.ends[0], "data")) as [Buffer];
  expect(chunk.toString()).toBe("garbage");
});

test("writing to an end that is gone is EPIPE", async () => {
  const [server, worker] = createConnectedPair().ends;
  worker.destroy();
  const failed = once(server, "error");
  server.write("anyone there");
  const [error] = (await failed) as [NodeJS.ErrnoException];
  expect(error.code).toBe("EPIPE");
});

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  let all = "";
  for await (const chunk of stream) all += chunk;
  return all;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
