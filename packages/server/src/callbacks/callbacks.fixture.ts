import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { FakeClock, silentLogger } from "@samovar/kit";
import type { TaskDetail } from "@samovar/protocol";
import { onTestFinished } from "vitest";
import { Callbacks, type CallbacksOptions } from "./callbacks.ts";
import { MemoryCallbackStore } from "./memory-callback-store.fixture.ts";

export interface Received {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type Answer = (request: Received, response: ServerResponse) => void;

/** A receiver on loopback, of which each test says how it answers. */
export class Receiver {
  readonly received: Received[] = [];
  answer: Answer;
  readonly #server: Server;
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  #scheme = "http";

  constructor(answer: Answer, tls?: { readonly key: string; readonly cert: string }) {
    this.answer = answer;
    const handle = (request: IncomingMessage, response: ServerResponse): void => void this.#receive(request, response);
    this.#server = tls ? createSecureServer(tls, handle) : createServer(handle);
    if (tls) this.#scheme = "https";
  }

  async listen(port = 0): Promise<string> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    return this.url;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Resolves when so many requests have come in all. */
  async until(count: number): Promise<void> {
    if (this.received.length < count) await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const received = { path: request.url!, headers: request.headers as Record<string, string>, body: Buffer.concat(chunks).toString() };
    this.received.push(received);
    this.answer(received, response);
    for (const { count, resolve } of this.#waiting) if (this.received.length >= count) resolve();
  }
}

export const ok: Answer = (_, response) => void response.end("thanks");
export const never: Answer = () => {};

/** Closed when its test is over. */
export async function startReceiver(answer: Answer = ok, tls?: ConstructorParameters<typeof Receiver>[1]): Promise<Receiver> {
  const receiver = new Receiver(answer, tls);
  await receiver.listen();
  onTestFinished(() => receiver.close());
  return receiver;
}

export function sampleTask(id: string, more: Partial<TaskDetail> = {}): TaskDetail {
  const attempt = { number: 1, version: 3, containerId: "ct_1", startedAtMs: 1_000, endedAtMs: 2_000, outcome: "complete", error: null } as const;
  return {
    id,
    function: "work",
    app: "shop",
    method: null,
    parameters: [],
    delivery: "queued",
    version: 3,
    status: "COMPLETE",
    attempts: [attempt],
    createdAtMs: 500,
    dueAtMs: 500,
    startedAtMs: 1_000,
    endedAtMs: 2_000,
    expiresAtMs: null,
    priorityMs: 0,
    concurrencyKey: null,
    idempotencyKey: null,
    tickAtMs: null,
    error: null,
    result: { total: 42 },
    resultType: "application/json",
    resultBytes: null,
    reason: null,
    callback: null,
    ...more,
  };
}

/** Tells when somebody begins to wait for so many milliseconds. */
export class TellingClock extends FakeClock {
  readonly #set = new Set<{ readonly delayMs: number }>();
  readonly #waiting: { readonly delayMs: number; readonly resolve: () => void }[] = [];

  override after(delayMs: number, run: () => void): () => void {
    const timer = { delayMs };
    this.#set.add(timer);
    for (const each of this.#waiting) if (each.delayMs === delayMs) each.resolve();
    const cancel = super.after(delayMs, () => {
      this.#set.delete(timer);
      run();
    });
    return () => {
      this.#set.delete(timer);
      cancel();
    };
  }

  /** Resolves at once where somebody waits so long already. */
  async untilSet(delayMs: number): Promise<void> {
    if ([...this.#set].some((timer) => timer.delayMs === delayMs)) return;
    await new Promise<void>((resolve) => this.#waiting.push({ delayMs, resolve }));
  }
}

export interface Sending {
  readonly callbacks: Callbacks;
  readonly store: MemoryCallbackStore;
  readonly clock: TellingClock;
}

/** Callbacks over a store in memory, ended when the test is over. The clock starts now: verifiers look at the time. */
export function startCallbacks(more: Partial<CallbacksOptions> = {}): Sending {
  const store = (more.store as MemoryCallbackStore | undefined) ?? new MemoryCallbackStore();
  const clock = (more.clock as TellingClock | undefined) ?? new TellingClock(Date.now());
  const callbacks = new Callbacks({
    store,
    detail: async (id) => sampleTask(id, { endedAtMs: store.rows.get(id.replace("tk_", ""))?.createdAtMs ?? 2_000 }),
    secret: Buffer.alloc(32, 7),
    allow: [],
    deny: [],
    url: () => "",
    clock,
    logger: silentLogger,
    random: () => 0.5,
    ...more,
  });
  onTestFinished(() => callbacks.dispose());
  return { callbacks, store, clock };
}
