import type { Agent, ClientRequest, IncomingMessage } from "node:http";
import { SamovarError } from "@samovar/protocol";

export interface HttpSend {
  readonly method: "GET" | "POST" | "PATCH";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Requests to one server over connections that are kept and reused. `node:http` is looked up when the first call is
 * made: user code bundles this file, and a worker that calls through its own connection never pays for it.
 */
export class HttpConnection {
  readonly #base: URL;
  readonly #http: typeof import("node:http") | typeof import("node:https");
  readonly #agent: Agent;

  constructor(url: string) {
    this.#base = parseServerUrl(url);
    const http = process.getBuiltinModule(this.#base.protocol === "https:" ? "node:https" : "node:http");
    this.#http = http;
    this.#agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
  }

  /** Settles with the head of the response; its body is read by the caller, and aborting the signal ends that too. */
  async send({ method, path, headers, body, signal }: HttpSend): Promise<IncomingMessage> {
    signal?.throwIfAborted();
    const url = new URL(`${this.#base.pathname.replace(/\/$/, "")}${path}`, this.#base);
    return new Promise((resolve, reject) => {
      const request: ClientRequest = this.#http.request(url, {
        method,
        agent: this.#agent,
        headers: { ...headers, ...(body ? { "content-length": body.length } : {}) },
      });
      const abort = (): void => void request.destroy(signal!.reason as Error);
      signal?.addEventListener("abort", abort, { once: true });
      request.once("close", () => signal?.removeEventListener("abort", abort));
      request.once("response", resolve);
      request.on("error", (error) => reject(signal?.aborted ? (signal.reason as Error) : this.#describe(error)));
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  #describe(error: NodeJS.ErrnoException): SamovarError {
    const [what, fix] =
      error.code === "ECONNREFUSED" || error.code === "ENOTFOUND"
        ? [`No server answers at ${this.#base.origin}`, "Start one with `samovar up`, or check the URL"]
        : [
            `The server at ${this.#base.origin} broke the connection: ${error.code ?? error.message}`,
            "It may have stopped or crashed: look at `samovar status` and its log",
          ];
    return new SamovarError("server_unreachable", `${what}. ${fix}`, { cause: error, fields: { fix } });
  }
}

function parseServerUrl(url: string): URL {
  const parsed = URL.parse(url);
  if (parsed && (parsed.protocol === "http:" || parsed.protocol === "https:")) return parsed;
  throw new SamovarError("invalid_option", `url is ${JSON.stringify(url)}, but it takes a server's address, such as "http://127.0.0.1:8700"`);
}

export async function readBody(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}
