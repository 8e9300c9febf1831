import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { SamovarError } from "@samovar/protocol";

export interface HttpSend {
  readonly method: "GET" | "POST" | "PATCH";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal?: AbortSignal | undefined;
  /** Whoever sends it asks again by itself when nobody answers. */
  readonly isAskedAgain?: boolean;
}

/**
 * For a server that is waited for when it is away: resolves when it is there, at once where it is said to be, or rejects with
 * why not. Undefined where nobody knows of it.
 */
export type ServerIsBack = (signal: AbortSignal | undefined) => Promise<void> | undefined;

/** One that is said to be there, and doesn't listen yet or is just dying, is asked again after such pauses. */
const PAUSES_MS = [20, 40, 80] as const;

/**
 * Requests to one server over connections that are kept and reused. `node:http` is looked up when the first call is
 * made: user code bundles this file, and a worker that calls through its own connection never pays for it.
 */
export class HttpConnection {
  readonly #origin: string;
  readonly #prefix: string;
  readonly #http: typeof import("node:http") | typeof import("node:https");
  /** Of every request. Read from the URL once: parsing costs about as much as the rest of a small request. */
  readonly #shared: RequestOptions;
  readonly #serverIsBack: ServerIsBack;

  constructor(url: string, serverIsBack: ServerIsBack = () => undefined) {
    this.#serverIsBack = serverIsBack;
    const base = parseServerUrl(url);
    const http = process.getBuiltinModule(base.protocol === "https:" ? "node:https" : "node:http");
    const { hostname, port, auth } = process.getBuiltinModule("node:url").urlToHttpOptions(base);
    this.#origin = base.origin;
    this.#prefix = base.pathname.replace(/\/$/, "");
    this.#http = http;
    this.#shared = { hostname, port, ...(auth ? { auth } : {}), agent: new http.Agent({ keepAlive: true, maxSockets: Infinity }) };
  }

  /**
   * Settles with the head of the response; its body is read by the caller, and aborting the signal ends that too. What met no
   * server, or what only reads and met its end, waits for it where that can be told of, and is sent again.
   */
  async send(request: HttpSend): Promise<IncomingMessage> {
    const { method, signal, isAskedAgain = false } = request;
    for (const pauseMs of PAUSES_MS) {
      try {
        return await this.#send(request);
      } catch (error) {
        const wasAccepted = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code !== "ECONNREFUSED";
        const isBack = signal?.aborted || isAskedAgain || (wasAccepted && method !== "GET") ? undefined : this.#serverIsBack(signal);
        if (!isBack) throw error;
        await isBack.catch((cause: unknown) => {
          throw signal?.aborted ? cause : new SamovarError("server_unreachable", (error as Error).message, { cause });
        });
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
    return await this.#send(request);
  }

  #send({ method, path, headers, body, signal }: HttpSend): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const request: ClientRequest = this.#http.request({
        ...this.#shared,
        method,
        path: this.#prefix + path,
        headers: body ? { ...headers, "content-length": body.length } : headers,
      });
      if (signal) {
        const abort = (): void => void request.destroy(signal.reason as Error);
        signal.addEventListener("abort", abort, { once: true });
        request.once("close", () => signal.removeEventListener("abort", abort));
      }
      request.once("response", resolve);
      request.on("error", (error) => reject(signal?.aborted ? (signal.reason as Error) : this.#describe(error)));
      request.end(body);
    });
  }

  close(): void {
    (this.#shared.agent as Agent).destroy();
  }

  #describe(error: NodeJS.ErrnoException): SamovarError {
    const [what, fix] =
      error.code === "ECONNREFUSED" || error.code === "ENOTFOUND"
        ? [`No server answers at ${this.#origin}`, "Start one with `samovar up`, or check the URL"]
        : [
            `The server at ${this.#origin} broke the connection: ${error.code ?? error.message}`,
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

/** With listeners: iterating costs several times as much where the body is small. */
export function readBody(response: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const closed = (): void => {
      if (!response.readableEnded) reject(response.errored ?? Object.assign(new Error("Premature close"), { code: "ERR_STREAM_PREMATURE_CLOSE" }));
    };
    if (response.destroyed) return closed();
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.once("end", () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    // Its close says what there is to say; without a listener it would be thrown.
    response.once("error", () => {});
    response.once("close", closed);
  });
}
