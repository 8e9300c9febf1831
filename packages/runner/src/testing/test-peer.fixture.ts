import { createServer, type Server } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import {
  FRAME,
  FrameDecoder,
  FrameWriter,
  PROTOCOL_VERSION,
  decodeValue,
  encodeFrame,
  encodeValue,
  splitHeadBody,
  type AnswerHead,
  type ErrorMessage,
  type FrameType,
  type HelloMessage,
  type InputHead,
  type LoadMessage,
  type LogMessage,
  type LogMessageLine,
  type PhaseMessage,
} from "@samovar/protocol";

export interface ReceivedFrame {
  readonly type: number;
  readonly stream: number;
  readonly payload: Buffer;
}

interface Waiter {
  readonly matches: (frame: ReceivedFrame) => boolean;
  readonly resolve: (frame: ReceivedFrame) => void;
  readonly reject: (error: Error) => void;
}

export interface Answer {
  readonly head: AnswerHead;
  readonly body: Buffer;
}

/** A server's end of one connection, small enough to be seen through: keeps what came, waits for what has not. */
export class TestPeer {
  readonly socket: Duplex;
  /** Everything that came, in order. */
  readonly frames: ReceivedFrame[] = [];
  readonly closed: Promise<void>;
  #unread: ReceivedFrame[] = [];
  #waiters: Waiter[] = [];
  readonly #writer = new FrameWriter(16 * 1024);
  #nextStream = 1;
  #over = false;

  constructor(socket: Duplex) {
    this.socket = socket;
    const decoder = new FrameDecoder();
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#over = true;
        for (const waiter of this.#waiters.splice(0)) waiter.reject(new Error("The connection closed before the frame came"));
        resolve();
      });
    });
    socket.on("error", () => {});
    // An in-memory pair, unlike a socket, does not close when the other side did.
    socket.on("end", () => socket.destroy());
    socket.on("data", (chunk: Buffer) =>
      decoder.push(chunk, ({ type, stream, payload }) => {
        const frame = { type, stream, payload: Buffer.from(payload) };
        this.frames.push(frame);
        const at = this.#waiters.findIndex((waiter) => waiter.matches(frame));
        if (at === -1) this.#unread.push(frame);
        else this.#waiters.splice(at, 1)[0]!.resolve(frame);
      }),
    );
  }

  /** The next frame of the type (on the stream, passing the test) that nobody took yet. */
  take(type: FrameType, stream?: number, test: (frame: ReceivedFrame) => boolean = () => true): Promise<ReceivedFrame> {
    const matches = (frame: ReceivedFrame): boolean => frame.type === type && (stream === undefined || frame.stream === stream) && test(frame);
    const at = this.#unread.findIndex(matches);
    if (at !== -1) return Promise.resolve(this.#unread.splice(at, 1)[0]!);
    if (this.#over) return Promise.reject(new Error("The connection is closed"));
    return new Promise((resolve, reject) => this.#waiters.push({ matches, resolve, reject }));
  }

  async message<T>(type: FrameType, stream?: number): Promise<T> {
    return decodeValue((await this.take(type, stream)).payload) as T;
  }

  send(type: FrameType, stream: number, ...payload: Uint8Array[]): void {
    this.socket.write(encodeFrame(type, stream, ...payload));
  }

  /** A frame of a head, and of a body where there is one. */
  sendHead(type: FrameType, stream: number, head: unknown, body: Uint8Array | null = null): void {
    this.#writer.headBody(type, stream, encodeValue(head), body);
    for (const bytes of this.#writer.take()) this.socket.write(bytes);
  }

  say(type: FrameType, message: unknown, stream = 0): void {
    this.send(type, stream, encodeValue(message));
  }

  async welcome(): Promise<HelloMessage> {
    const hello = await this.message<HelloMessage>(FRAME.hello);
    this.say(FRAME.welcome, { protocol: PROTOCOL_VERSION });
    return hello;
  }

  /** Takes back a worker whose HELLO was read: the inputs that it listed go on with these streams. */
  takeBack(streams?: readonly number[]): void {
    this.say(FRAME.welcome, { protocol: PROTOCOL_VERSION, ...(streams ? { streams } : {}) });
    this.#nextStream = Math.max(this.#nextStream, ...(streams ?? []).map((stream) => stream + 2));
  }

  /** Resolves when the worker has read all that was sent so far, and what it then said has come. */
  async synced(): Promise<void> {
    this.send(FRAME.ping, 0);
    await this.take(FRAME.pong);
  }

  /** Opens an input and returns its stream. */
  open(input: unknown, head: Partial<InputHead> = {}, body?: Uint8Array | null): number {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    const bytes = body === undefined ? Buffer.from(JSON.stringify(input) ?? "") : body;
    const full: InputHead = {
      taskId: `tk_${stream}`,
      attempt: 1,
      encoding: "json",
      reply: "http",
      stream: "ndjson",
      timeoutMs: null,
      deadlineMs: null,
      ...head,
    };
    this.sendHead(FRAME.open, stream, full, bytes);
    return stream;
  }

  /** One input and its whole answer, inline or streamed; grants room as it reads. Throws the error message. */
  async call(input: unknown, head: Partial<InputHead> = {}, body?: Uint8Array | null): Promise<Answer> {
    return this.answer(this.open(input, head, body));
  }

  async answer(stream: number): Promise<Answer> {
    const first = await this.takeAny([FRAME.result, FRAME.head, FRAME.error], stream);
    if (first.type === FRAME.error) throw Object.assign(new Error("answered with an error"), decodeValue(first.payload) as ErrorMessage);
    const { head, body } = splitHeadBody(first.payload);
    if (first.type === FRAME.result) return { head: decodeValue(head) as AnswerHead, body };
    const chunks: Buffer[] = [];
    for (;;) {
      const frame = await this.takeAny([FRAME.data, FRAME.end, FRAME.error], stream);
      if (frame.type === FRAME.error) throw Object.assign(new Error("broke off with an error"), decodeValue(frame.payload) as ErrorMessage);
      if (frame.type === FRAME.end) return { head: decodeValue(head) as AnswerHead, body: Buffer.concat(chunks) };
      chunks.push(frame.payload);
      this.say(FRAME.window, { bytes: frame.payload.length }, stream);
    }
  }

  /** The next frame of any of the types on a stream, in the order in which they came. */
  takeAny(types: readonly FrameType[], stream: number): Promise<ReceivedFrame> {
    const matches = (frame: ReceivedFrame): boolean => frame.stream === stream && (types as readonly number[]).includes(frame.type);
    const at = this.#unread.findIndex(matches);
    if (at !== -1) return Promise.resolve(this.#unread.splice(at, 1)[0]!);
    if (this.#over) return Promise.reject(new Error("The connection is closed"));
    return new Promise((resolve, reject) => this.#waiters.push({ matches, resolve, reject }));
  }

  async error(stream: number): Promise<ErrorMessage> {
    return this.message<ErrorMessage>(FRAME.error, stream);
  }

  get logLines(): LogMessageLine[] {
    return this.frames.filter((frame) => frame.type === FRAME.log).flatMap((frame) => [...(decodeValue(frame.payload) as LogMessage).lines]);
  }

  /** What was recorded, as `phase hook outcome`. */
  get phases(): string[] {
    return this.frames
      .filter((frame) => frame.type === FRAME.phase)
      .map((frame) => decodeValue(frame.payload) as PhaseMessage)
      .map(({ phase, hook, outcome }) => [phase, hook, outcome].filter(Boolean).join(" "));
  }
}

/** A socket that workers connect to, and who came. */
export class TestServer {
  readonly address: string;
  readonly #server: Server;
  readonly #dir: string;
  readonly #arrived: TestPeer[] = [];
  readonly #waiters: ((peer: TestPeer) => void)[] = [];
  readonly peers: TestPeer[] = [];

  private constructor(dir: string) {
    this.#dir = dir;
    this.address = join(dir, "s");
    this.#server = createServer((socket) => {
      const peer = new TestPeer(socket);
      this.peers.push(peer);
      const waiter = this.#waiters.shift();
      if (waiter) waiter(peer);
      else this.#arrived.push(peer);
    });
  }

  static async listen(): Promise<TestServer> {
    const server = new TestServer(mkdtempSync(join(tmpdir(), "samovar-runner-")));
    await server.resume();
    return server;
  }

  /** The next connection that nobody took yet. */
  connection(): Promise<TestPeer> {
    const peer = this.#arrived.shift();
    return peer ? Promise.resolve(peer) : new Promise((resolve) => this.#waiters.push(resolve));
  }

  resume(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(this.address, resolve));
  }

  /** Stops listening and drops every connection, as a server that was killed does. */
  async vanish(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const peer of this.peers) peer.socket.destroy();
    await closed;
  }

  async dispose(): Promise<void> {
    if (this.#server.listening) await this.vanish();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

export function loadMessage(bundlePath: string, overrides: Partial<LoadMessage> = {}): LoadMessage {
  return {
    mode: "serve",
    app: "test",
    functionId: "fn_test",
    functionName: "test",
    functionKind: "function",
    deployment: "test",
    version: 1,
    exportName: "f",
    bundlePath,
    compileCacheDir: null,
    parameters: [],
    onDeployValue: null,
    workers: 1,
    concurrencyMax: 1,
    timeoutMs: null,
    stopGracePeriodMs: 30_000,
    callbackUrl: null,
    functionIds: {},
    development: true,
    ...overrides,
  };
}
