import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Execution, ServerLife } from "./history.ts";
import type { Moments } from "./moments.ts";

interface Seen {
  readonly execution: Omit<Execution, "life" | "end" | "endedAtMs">;
  end: Execution["end"];
  endedAtMs: number | null;
}

type Said =
  | ({ readonly says: "starts" } & Omit<Execution, "life" | "startedAtMs" | "end" | "endedAtMs">)
  | { readonly says: "returned" | "threw"; readonly nonce: string };

/**
 * Sees every run of a handler, independently of the server: handlers tell it when they begin and end, and wait until it
 * has heard; that a process is gone it learns from the kernel, which closes the connection.
 */
export class Witness {
  readonly #server: Server;
  readonly #moments: Moments;
  readonly #seen = new Map<string, Seen>();
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, moments: Moments) {
    this.#server = server;
    this.#moments = moments;
    server.on("connection", (socket) => this.#follow(socket));
  }

  static async listen(moments: Moments): Promise<Witness> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Witness(server, moments);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  executions(lives: readonly ServerLife[]): readonly Execution[] {
    const lifeAt = (atMs: number): number =>
      Math.max(
        0,
        lives.findLastIndex(({ startedAtMs }) => startedAtMs <= atMs),
      );
    return [...this.#seen.values()].map(({ execution, end, endedAtMs }) => ({ ...execution, life: lifeAt(execution.startedAtMs), end, endedAtMs }));
  }

  dispose(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #follow(socket: Socket): void {
    const nonces = new Set<string>();
    let text = "";
    this.#sockets.add(socket);
    socket.setEncoding("utf8").setNoDelay(true);
    socket.on("data", (chunk: string) => {
      text += chunk;
      const lines = text.split("\n");
      text = lines.pop()!;
      for (const line of lines) {
        const said = JSON.parse(line) as Said;
        nonces.add(said.nonce);
        this.#hear(said);
        socket.write(`${said.nonce}\n`);
        this.#moments.tell(said.says === "starts" ? "began" : "ended");
      }
    });
    // What comes first, the end of the stream or its reset: the process is gone now.
    const gone = (): void => {
      for (const nonce of nonces) this.#end(nonce, "gone");
    };
    socket.on("end", gone).on("error", gone);
    socket.on("close", () => {
      gone();
      this.#sockets.delete(socket);
    });
  }

  #hear(said: Said): void {
    if (said.says !== "starts") return this.#end(said.nonce, said.says);
    const { says: _, ...execution } = said;
    this.#seen.set(said.nonce, { execution: { ...execution, startedAtMs: Date.now() }, end: null, endedAtMs: null });
  }

  #end(nonce: string, end: "returned" | "threw" | "gone"): void {
    const seen = this.#seen.get(nonce);
    if (!seen || seen.end !== null) return;
    seen.end = end;
    seen.endedAtMs = Date.now();
  }
}
