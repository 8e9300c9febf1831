import { createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import type { CallbackBody } from "@samovar/protocol";
import type { Delivery } from "./history.ts";
import type { Random } from "./random.ts";

/** Takes callbacks, or at times refuses them or hangs up, and remembers each. */
export class CallbackReceiver {
  readonly #server: Server;
  readonly #random: Random;
  readonly #deliveries: Delivery[] = [];
  readonly #taken = new Set<string>();
  readonly #waiting = new Set<() => void>();
  #key = Buffer.alloc(0);
  #refusals: number;

  private constructor(server: Server, random: Random, refusals: number) {
    this.#server = server;
    this.#random = random;
    this.#refusals = refusals;
    server.on("request", (request, response) => void this.#take(request, response).catch(() => response.destroy()));
  }

  /** `refusals`: how many callbacks it refuses the first time that they come, and takes when they come again. */
  static async listen(random: Random, refusals: number): Promise<CallbackReceiver> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new CallbackReceiver(server, random, refusals);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/callbacks`;
  }

  get deliveries(): readonly Delivery[] {
    return this.#deliveries;
  }

  /** What callbacks must be signed with. */
  expect(secret: string): void {
    this.#key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  }

  /** Resolves when callbacks of all these tasks were taken; false when that took longer than it may. */
  async taken(taskIds: readonly string[], withinMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const look = (): void => {
      if (taskIds.every((id) => this.#taken.has(id))) resolve(true);
    };
    this.#waiting.add(look);
    const timer = setTimeout(() => resolve(false), withinMs);
    look();
    return promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(look);
    });
  }

  dispose(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await buffer(request);
    const { data } = JSON.parse(bytes.toString()) as CallbackBody;
    const [webhookId, timestamp, signature] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => String(request.headers[name]));
    const expected = createHmac("sha256", this.#key).update(`${webhookId}.${timestamp}.`).update(bytes).digest("base64");
    const isFirst = !this.#deliveries.some((delivery) => delivery.webhookId === webhookId);
    const isRefused = isFirst && this.#refusals > 0 && this.#random.chance(0.1);
    if (isRefused) this.#refusals--;
    const answered = isRefused ? this.#random.pick([0, 500, 503]) : 204;
    const signed = signature!.split(" ").includes(`v1,${expected}`) && Math.abs(Date.now() / 1_000 - Number(timestamp)) < 300;
    this.#deliveries.push({ webhookId: webhookId!, taskId: data.id, status: data.status, signed, answered, atMs: Date.now() });
    if (answered === 0) return void response.destroy();
    response.writeHead(answered).end();
    if (answered !== 204) return;
    this.#taken.add(data.id);
    for (const look of this.#waiting) look();
  }
}
