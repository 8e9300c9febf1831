import { timingSafeEqual } from "node:crypto";
import type { Duplex } from "node:stream";
import {
  FRAME,
  FrameDecoder,
  PROTOCOL_VERSION,
  SamovarError,
  decodeValue,
  encodeFrame,
  encodeValue,
  type Frame,
  type HeldInput,
  type HelloMessage,
  type WelcomeMessage,
} from "@samovar/protocol";
import { hashToken, type Clock, type Logger } from "@samovar/kit";
import type { ArrivingBytes } from "./arriving-calls.ts";
import type { PeerEvents } from "./worker-peer.ts";
import { WorkerPeer } from "./worker-peer.ts";

/** Who awaits the workers of one container. */
export interface WorkerHost {
  /** A worker said HELLO with the right token. */
  attach(hello: HelloMessage): WorkerSeat | { readonly refused: string };
}

export interface WorkerSeat {
  readonly events: PeerEvents;
  /** The worker has its seat. Returns the streams on which the inputs go on that it said it holds, in their order. */
  attached(peer: WorkerPeer): readonly number[];
}

interface Expected {
  readonly tokenHash: Buffer;
  readonly host: WorkerHost;
}

/** A connection that says nothing is closed after this, so that strangers can't hold sockets. */
const HELLO_TIMEOUT_MS = 10_000;

/**
 * Where workers connect to: reads HELLO, checks the container's own token, and hands the connection to the container
 * that awaits it. A connection that isn't awaited is told so and ended; nothing else hears of it.
 */
export class WorkerHub {
  readonly #expected = new Map<string, Expected>();
  readonly #waiting = new Set<Duplex>();
  readonly #arriving: ArrivingBytes = { used: 0 };
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(options: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  /** From now on workers of this container are let in, by the hash of its token. Returns what ends that: the token dies with the container. */
  expect(containerId: string, tokenHash: string, host: WorkerHost): () => void {
    this.#expected.set(containerId, { tokenHash: Buffer.from(tokenHash, "hex"), host });
    return () => void this.#expected.delete(containerId);
  }

  accept(socket: Duplex): void {
    if (socket.destroyed) return;
    const decoder = new FrameDecoder();
    this.#waiting.add(socket);
    const cancelTimeout = this.#clock.after(HELLO_TIMEOUT_MS, () => socket.destroy());
    let greeted = false;
    const settle = (): void => {
      cancelTimeout();
      this.#waiting.delete(socket);
    };
    const early: Frame[] = [];
    const onData = (chunk: Buffer): void => {
      try {
        decoder.push(chunk, (frame) => {
          greeted = true;
          early.push({ ...frame, payload: Buffer.from(frame.payload) });
        });
        if (!greeted) return;
        socket.off("data", onData);
        socket.off("close", settle);
        settle();
        this.#greet(socket, decoder, early);
      } catch (error) {
        this.#logger.warn({ error: String(error) }, "A connection to the worker socket was malformed and ended");
        socket.destroy();
      }
    };
    socket.on("data", onData);
    socket.on("close", settle);
    socket.on("error", () => socket.destroy());
  }

  dispose(): void {
    for (const socket of this.#waiting) socket.destroy();
  }

  #greet(socket: Duplex, decoder: FrameDecoder, early: readonly Frame[]): void {
    const first = early[0]!;
    if (first.type !== FRAME.hello) throw new SamovarError("protocol_error", `The first frame was type 0x${first.type.toString(16)}, not HELLO`);
    const hello = parseHello(decodeValue(first.payload));
    const expected = this.#expected.get(hello.containerId);
    const known = expected && timingSafeEqual(expected.tokenHash, toHash(hello.token));
    if (!known) return refuse(socket, `No container ${hello.containerId} with this token is awaited`);
    if (hello.protocol !== PROTOCOL_VERSION) return refuse(socket, `Protocol ${hello.protocol} is not spoken here: this server speaks ${PROTOCOL_VERSION}`);
    const seat = expected.host.attach(hello);
    if ("refused" in seat) return refuse(socket, seat.refused);
    const peer = new WorkerPeer(socket, decoder, seat.events, this.#arriving);
    // What is said to it meanwhile is sent at the end of the turn, and so behind the WELCOME.
    const streams = seat.attached(peer);
    const welcome: WelcomeMessage = { protocol: PROTOCOL_VERSION, ...(streams.length > 0 ? { streams } : {}) };
    socket.write(encodeFrame(FRAME.welcome, 0, encodeValue(welcome)));
    peer.replay(early.slice(1));
  }
}

function refuse(socket: Duplex, reason: string): void {
  socket.end(encodeFrame(FRAME.reject, 0, encodeValue({ reason })));
}

function isHeldInput(value: unknown): value is HeldInput {
  const held = value as HeldInput | null;
  return typeof held?.taskId === "string" && Number.isInteger(held.attempt) && typeof held.resumable === "boolean";
}

function parseHello(value: unknown): HelloMessage {
  const hello = value as HelloMessage;
  if (typeof hello?.containerId !== "string" || typeof hello.token !== "string" || !Number.isInteger(hello.workerIndex) || typeof hello.protocol !== "number") {
    throw new SamovarError("protocol_error", "HELLO lacks containerId, token, workerIndex or protocol");
  }
  if (hello.held !== undefined && !(Array.isArray(hello.held) && hello.held.every(isHeldInput)))
    throw new SamovarError("protocol_error", "What a worker holds is a list of inputs, each with taskId, attempt and resumable");
  return hello;
}

const toHash = (token: string): Buffer => Buffer.from(hashToken(token), "hex");
