import { duplexPair } from "node:stream";
import { FRAME, FrameDecoder, MAX_FRAME_BYTES, decodeValue, encodeFrame, encodeHeadBody, encodeValue, splitHeadBody, type InputHead } from "@samovar/protocol";
import { expect, test } from "vitest";
import { WorkerPeer, type AnswerEvents, type CallReply, type PeerEvents } from "./worker-peer.ts";

const BODY = Buffer.alloc(MAX_FRAME_BYTES + 1, 7);
const unused = (): never => {
  throw new Error("Not told of here");
};
const ANSWERS: AnswerEvents = { result: unused, head: unused, data: unused, end: unused, error: unused };

/** A peer, and the worker's end of its connection: what comes there up to an END, granting room as it is read. */
function connect(call: (reply: CallReply) => void = unused) {
  const [near, far] = duplexPair();
  const decoder = new FrameDecoder();
  const events = new Proxy(
    {},
    { get: (_, name) => (name === "call" ? (_head: unknown, _body: unknown, reply: CallReply) => (call(reply), { cancel() {}, resume() {} }) : () => {}) },
  );
  const peer = new WorkerPeer(near, new FrameDecoder(), events as PeerEvents);
  const ended = Promise.withResolvers<{ types: number[]; body: Buffer; head: unknown }>();
  const types: number[] = [];
  const chunks: Buffer[] = [];
  let head: unknown;
  far.on("data", (chunk: Buffer) =>
    decoder.push(chunk, ({ type, stream, payload }) => {
      if (types.at(-1) !== type) types.push(type);
      if (type === FRAME.open || type === FRAME.head) head = decodeValue(splitHeadBody(payload).head);
      if (type === FRAME.data) {
        chunks.push(Buffer.from(payload));
        far.write(encodeFrame(FRAME.window, stream, encodeValue({ bytes: payload.length })));
      }
      if (type === FRAME.end) ended.resolve({ types, body: Buffer.concat(chunks), head });
    }),
  );
  return { peer, far, ended: ended.promise };
}

test("a body that one frame can't carry goes in pieces, as the worker grants room", async () => {
  const { peer, ended } = connect();
  const head: InputHead = { taskId: "tk_1", attempt: 1, encoding: "value", reply: "value", stream: "values", timeoutMs: null, deadlineMs: null };
  peer.open(head, BODY, null, ANSWERS);
  const seen = await ended;
  expect(seen.types).toEqual([FRAME.open, FRAME.data, FRAME.end]);
  expect(seen.head).toEqual({ ...head, streamed: true });
  expect(seen.body.equals(BODY)).toBe(true);
  peer.destroy();
});

test("so does the answer to a worker's own question", async () => {
  const { peer, far, ended } = connect((reply) => reply.result({ status: 200, headers: [] }, BODY));
  far.write(encodeFrame(FRAME.open, 2, ...encodeHeadBody(encodeValue({ kind: "task", functionName: "tk_1", streaming: false }), null)));
  const seen = await ended;
  expect(seen.types).toEqual([FRAME.head, FRAME.data, FRAME.end]);
  expect(seen.head).toEqual({ status: 200, headers: [] });
  expect(seen.body.equals(BODY)).toBe(true);
  peer.destroy();
});
