import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";
import { makeFolders } from "@samovar/kit";
import type { ProbeHello } from "./driver-probe.ts";

/** A container of the conformance suite as the server sees it. */
export interface Probe {
  readonly hello: ProbeHello;
  /** Resolves with the answer; rejects with what the probe threw, or when its connection closes first. */
  order<T = unknown>(order: string, ...args: readonly unknown[]): Promise<T>;
  readonly closed: Promise<void>;
}

/** Stands where containers connect: a Unix socket, and `accept` for those that bring their connection along. */
export class ProbeServer {
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  readonly #arrived = new Map<string, Probe>();
  readonly #waiting = new Map<string, (probe: Probe) => void>();

  private constructor() {
    this.#server = createServer((socket: Socket) => this.accept(socket));
  }

  /** Like a server, it stands alone in its folder, and in place of one that stood there before. */
  static async listen(path: string): Promise<ProbeServer> {
    makeFolders(dirname(path));
    rmSync(path, { force: true });
    const probes = new ProbeServer();
    await new Promise<void>((resolve, reject) => probes.#server.once("error", reject).listen(path, resolve));
    return probes;
  }

  accept(connection: Duplex): void {
    this.#sockets.add(connection);
    const pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
    let lastId = 0;
    const closed = new Promise<void>((resolve) => {
      connection.once("close", () => {
        this.#sockets.delete(connection);
        for (const { reject } of pending.values()) reject(new Error("The probe's connection closed"));
        resolve();
      });
    });
    connection.on("error", () => {});
    let isFirst = true;
    createInterface({ input: connection }).on("line", (line) => {
      const message = JSON.parse(line) as { id: number; value?: unknown; error?: string };
      if (isFirst) {
        isFirst = false;
        const order: Probe["order"] = (name, ...args) =>
          new Promise((resolve, reject) => {
            pending.set(++lastId, { resolve: resolve, reject });
            connection.write(`${JSON.stringify({ id: lastId, order: name, args })}\n`);
          });
        this.#arrive({ hello: message as unknown as ProbeHello, order, closed });
        return;
      }
      const { resolve, reject } = pending.get(message.id)!;
      pending.delete(message.id);
      if (message.error === undefined) resolve(message.value);
      else reject(new Error(message.error));
    });
  }

  /** The probe of a container, as soon as it has connected. */
  probe(containerId: string): Promise<Probe> {
    const arrived = this.#arrived.get(containerId);
    return arrived ? Promise.resolve(arrived) : new Promise((resolve) => this.#waiting.set(containerId, resolve));
  }

  async dispose(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #arrive(probe: Probe): void {
    this.#arrived.set(probe.hello.containerId, probe);
    this.#waiting.get(probe.hello.containerId)?.(probe);
  }
}
