import type { Duplex } from "node:stream";
import {
  FRAME,
  SERVER_AWAY_MS,
  decodeValue,
  encodeValue,
  type Frame,
  type FrameType,
  type HelloMessage,
  type RejectMessage,
  type WelcomeMessage,
} from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import { Connection } from "./connection.ts";

const CLOSE_MS = 2_000;
const FIRST_RETRY_MS = 20;
const MAX_RETRY_MS = 1_600;

export interface LinkEvents {
  /** The server took us (back). */
  welcomed(message: WelcomeMessage): void;
  frame(frame: Frame): void;
  /** The connection broke; streams ended with it. */
  lost(): void;
  /** For good: refused, or away for too long. */
  gone(reason: string): void;
}

export interface LinkOptions {
  readonly connect: () => Promise<Duplex>;
  /** Calls back whenever a server may have begun to listen where the last one did; returns what ends that. Default: only time tells. */
  readonly watchServer?: (mayBeThere: () => void) => () => void;
  readonly clock: Clock;
  /** What to say first; asked anew at every connection. */
  readonly hello: () => HelloMessage;
  readonly events: LinkEvents;
}

/**
 * The worker's hold on its server, across connections.
 *
 * States: dialing → greeting (HELLO sent) → open; from any of these back to dialing when the connection breaks, with
 * growing pauses, or at once when a server may be there, until SERVER_AWAY_MS have passed since somebody was last there;
 * then, or at REJECT, gone: the worker drains, runs its stop hooks and ends. `close` ends it from any state. Frames of
 * stream 0 that are sent while not open wait for the next WELCOME; frames of other streams are dropped, as their streams
 * ended with the connection (answers that are worth more wait in reply-stream.ts).
 */
export class ServerLink {
  readonly #options: LinkOptions;
  #state: "dialing" | "greeting" | "open" | "gone" = "dialing";
  #connection: Connection | null = null;
  #waiting: { type: FrameType; payload: Uint8Array | null }[] = [];
  #retryMs = FIRST_RETRY_MS;
  #cancelGiveUp: (() => void) | null = null;
  #cancelRetry: (() => void) | null = null;
  #stopWatching: (() => void) | null = null;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get backlogBytes(): number {
    return this.#connection?.backlogBytes ?? 0;
  }

  start(): void {
    this.#limitAbsence();
    this.#dial();
  }

  #limitAbsence(): void {
    this.#cancelGiveUp?.();
    this.#cancelGiveUp = this.#options.clock.after(SERVER_AWAY_MS, () => this.#goneFor(`The server stayed away for ${SERVER_AWAY_MS / 1_000} s`));
  }

  /** A frame of stream 0. */
  control(type: FrameType, payload: Uint8Array | null): void {
    if (this.#state === "open") this.#connection!.send(type, 0, payload);
    else if (this.#state !== "gone") this.#waiting.push({ type, payload });
  }

  send(type: FrameType, stream: number, payload: Uint8Array | null): void {
    if (this.#state === "open") this.#connection!.send(type, stream, payload);
  }

  sendHeadBody(type: FrameType, stream: number, head: Uint8Array, body: Uint8Array | string | null): void {
    if (this.#state === "open") this.#connection!.sendHeadBody(type, stream, head, body);
  }

  flush(): void {
    this.#connection?.flush();
  }

  /** Sends what was gathered, then closes. A server that doesn't read can't hold up the worker's end. */
  async close(): Promise<void> {
    const connection = this.#state === "open" ? this.#connection : null;
    this.#stop();
    if (!connection) return;
    const cancel = this.#options.clock.after(CLOSE_MS, () => connection.destroy());
    await connection.end();
    cancel();
  }

  #dial(): void {
    this.#state = "dialing";
    this.#cancelRetry = null;
    this.#options.connect().then(
      (socket) => {
        if (this.#state !== "dialing") return void socket.destroy();
        this.#greet(socket);
      },
      () => this.#retry(),
    );
  }

  #greet(socket: Duplex): void {
    this.#state = "greeting";
    // Somebody is there, who may have much to restore first.
    this.#limitAbsence();
    const connection = new Connection(socket, {
      frame: (frame) => this.#onFrame(frame),
      closed: () => {
        if (this.#connection === connection) this.#onClosed();
      },
    });
    this.#connection = connection;
    connection.send(FRAME.hello, 0, encodeValue(this.#options.hello()));
    connection.flush();
  }

  #onFrame(frame: Frame): void {
    if (this.#state === "open") return this.#options.events.frame(frame);
    if (frame.type === FRAME.reject) return this.#goneFor((decodeValue(frame.payload) as RejectMessage).reason);
    if (frame.type !== FRAME.welcome) return;
    const message = decodeValue(frame.payload) as WelcomeMessage;
    this.#state = "open";
    this.#retryMs = FIRST_RETRY_MS;
    this.#cancelGiveUp?.();
    this.#cancelGiveUp = null;
    this.#stopWatching?.();
    this.#stopWatching = null;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { type, payload } of waiting) this.#connection!.send(type, 0, payload);
    this.#options.events.welcomed(message);
  }

  #onClosed(): void {
    const wasOpen = this.#state === "open";
    this.#connection = null;
    this.#state = "dialing";
    if (wasOpen) {
      this.#limitAbsence();
      this.#stopWatching = this.#options.watchServer?.(() => this.#dialSoon()) ?? null;
      this.#options.events.lost();
    }
    this.#retry();
  }

  /** A server may be there: pauses begin anew, with the shortest. */
  #dialSoon(): void {
    this.#retryMs = FIRST_RETRY_MS;
    if (this.#state !== "dialing" || !this.#cancelRetry) return;
    this.#cancelRetry();
    this.#dial();
  }

  #retry(): void {
    if (this.#state !== "dialing") return;
    this.#cancelRetry = this.#options.clock.after(this.#retryMs, () => this.#dial());
    this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
  }

  #goneFor(reason: string): void {
    if (this.#state === "gone") return;
    this.#stop();
    this.#options.events.gone(reason);
  }

  #stop(): void {
    const connection = this.#connection;
    const ended = this.#state === "open";
    this.#state = "gone";
    this.#connection = null;
    this.#waiting = [];
    this.#cancelGiveUp?.();
    this.#cancelRetry?.();
    this.#stopWatching?.();
    if (!ended) connection?.destroy();
  }
}
