import { duplexPair } from "node:stream";
import {
  FRAME,
  FrameDecoder,
  MAX_FRAME_BYTES,
  decodeValue,
  encodeFrame,
  encodeValue,
  splitHeadBody,
  type ErrorMessage,
  type InputHead,
} from "@samovar/protocol";
import { expect, test } from "vitest";
import { MAX_ARRIVING_CALLS } from "./arriving-calls.ts";
import { encodeHeadBodyFrame } from "./testing/head-body-frame.fixture.ts";
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
  far.write(encodeHeadBodyFrame(FRAME.open, 2, { kind: "task", functionName: "tk_1", streaming: false }));
  const seen = await ended;
  expect(seen.types).toEqual([FRAME.head, FRAME.data, FRAME.end]);
  expect(seen.head).toEqual({ status: 200, headers: [] });
  expect(seen.body.equals(BODY)).toBe(true);
  peer.destroy();
});

test("calls of which one worker sends so many at a time that memory would be full are refused, and those before them go on", async () => {
  const called: number[] = [];
  const refused = Promise.withResolvers<unknown>();
  const { peer, far } = connect((reply) => {
    called.push(called.length);
    reply.result({ status: 200, headers: [] }, Buffer.from("x"));
  });
  const decoder = new FrameDecoder();
  const answered = Promise.withResolvers<number>();
  far.on("data", (chunk: Buffer) =>
    decoder.push(chunk, ({ type, stream, payload }) => {
      if (type === FRAME.error) refused.resolve([stream, (decodeValue(payload) as ErrorMessage).error.code]);
      if (type === FRAME.result) answered.resolve(stream);
    }),
  );
  const head = { functionName: "resize", streaming: false, streamed: true };
  for (let i = 1; i <= MAX_ARRIVING_CALLS + 1; i++) far.write(encodeHeadBodyFrame(FRAME.open, 2 * i, head));
  const last = 2 * MAX_ARRIVING_CALLS + 2;
  expect(await refused.promise).toEqual([last, "too_many_pending"]);
  // What had been sent of it meanwhile is nothing to anybody.
  far.write(encodeFrame(FRAME.data, last, Buffer.from("x")));
  far.write(encodeFrame(FRAME.end, last));
  far.write(encodeFrame(FRAME.data, 2, Buffer.from("x")));
  far.write(encodeFrame(FRAME.end, 2));
  expect(await answered.promise).toBe(2);
  expect(called).toHaveLength(1);
  peer.destroy();
});
