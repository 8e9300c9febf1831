import { once } from "node:events";
import { createServer, connect, type Socket } from "node:net";
import { join } from "node:path";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { expect, onTestFinished, test } from "vitest";
import { FRAME, FrameDecoder, encodeFrame } from "@samovar/protocol";
import { Connection } from "./connection.ts";

/** A connection over a real Unix socket, and the server's end of it. */
async function connectOverSocket(): Promise<{ readonly connection: Connection; readonly peer: Socket }> {
  const dir = await mkdtemp(join(tmpdir(), "samovar-connection-"));
  const server = createServer();
  server.listen(join(dir, "s"));
  await once(server, "listening");
  const socket = connect(join(dir, "s"));
  const [peer] = (await once(server, "connection")) as [Socket];
  onTestFinished(async () => {
    socket.destroy();
    peer.destroy();
    server.close();
    await rm(dir, { recursive: true, maxRetries: 5 });
  });
  return { connection: new Connection(socket, { frame: () => {}, closed: () => {} }), peer };
}

test("what was sent before the end arrives also at a peer that writes before it reads", async () => {
  const { connection, peer } = await connectOverSocket();
  connection.send(FRAME.stopped, 0, null);
  const ended = connection.end();
  // One turn of the event loop, in which a socket that did not wait for its peer would be gone.
  await new Promise(setImmediate);
  await new Promise<void>((resolve, reject) => peer.write(encodeFrame(FRAME.ping, 0), (error) => (error ? reject(error) : resolve())));
  const types: number[] = [];
  const decoder = new FrameDecoder();
  peer.on("data", (chunk: Buffer) => decoder.push(chunk, (frame) => types.push(frame.type)));
  await Promise.all([ended, once(peer, "close")]);
  expect(types).toEqual([FRAME.stopped]);
});

test("the end waits for a peer that has not read it all", async () => {
  const { connection, peer } = await connectOverSocket();
  const order: string[] = [];
  const ended = connection.end().then(() => order.push("ended"));
  await once(peer, "readable");
  order.push("peer reads");
  peer.resume();
  await ended;
  expect(order).toEqual(["peer reads", "ended"]);
});
