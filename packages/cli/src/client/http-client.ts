import type { Agent as HttpAgent, IncomingMessage, request as httpRequest } from "node:http";
import { CONTENT_TYPES, SamovarError, fromProblem, parseProblem } from "@samovar/protocol";
import { tellList } from "./listed-by.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below the server's address, with its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
}

/** Answers with a body that is still to be read. Others than 2xx were turned into errors. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: IncomingMessage;
}

/**
 * HTTP to one server with one token, over kept connections. `node:http` and not `fetch`, because fetch gives up on
 * an answer or a stream that is silent for five minutes, and logs and slow functions are.
 */
export class HttpClient {
  readonly url: string;
  readonly token: string | null;
  readonly #agent: HttpAgent;
  readonly #request: typeof httpRequest;

  private constructor(url: string, token: string | null, agent: HttpAgent, request: typeof httpRequest) {
    this.url = url;
    this.token = token;
    this.#agent = agent;
    this.#request = request;
  }

  /**
   * `node:https` is loaded only for https addresses, and neither by `import`: that reads all exports, and those of
   * WebSocket load fetch, 40 ms of a command's start.
   */
  static async create(url: string, token: string | null): Promise<HttpClient> {
    if (!url.startsWith("https:")) {
      const http = process.getBuiltinModule("node:http");
      return new HttpClient(url, token, new http.Agent({ keepAlive: true }), http.request);
    }
    const https = process.getBuiltinModule("node:https");
    return new HttpClient(url, token, new https.Agent({ keepAlive: true }), https.request);
  }

  /** Resolves with the head of an answer. Rejects with what the problem document says, or `server_unreachable`. */
  async send(request: HttpRequest, isRetry = false): Promise<HttpResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const { body } = request;
    const isBuffer = typeof body === "string" || body instanceof Uint8Array;
    const outgoing = this.#request(
      `${this.url}${request.path}`,
      {
        method: request.method,
        agent: this.#agent,
        headers: {
          ...(this.token ? { authorization: `Bearer ${this.token}` } : {}),
          ...(isBuffer ? { "content-length": String(Buffer.byteLength(body)) } : {}),
          ...request.headers,
        },
        ...(request.signal ? { signal: request.signal } : {}),
      },
      resolve,
    );
    outgoing.once("error", reject);
    if (body === undefined || isBuffer) outgoing.end(body);
    else void pump(body, outgoing);
    try {
      const incoming = await promise;
      const status = incoming.statusCode ?? 0;
      if (status < 200 || status > 299) throw tellList(await toProblemError(incoming, status), request.path);
      return { status, headers: incoming.headers, body: incoming };
    } catch (error) {
      // A kept connection that the server closed at the very moment it was used again: nothing of the request was read.
      const isStale = outgoing.reusedSocket && (error as NodeJS.ErrnoException).code === "ECONNRESET";
      if (isStale && !isRetry && !request.signal?.aborted && (body === undefined || isBuffer)) return await this.send(request, true);
      throw request.signal?.aborted ? request.signal.reason : toConnectionError(error, this.url);
    }
  }

  /** The whole answer as JSON; undefined where it has no body. */
  async json<T>(request: HttpRequest): Promise<T> {
    const { body } = await this.send({ ...request, headers: { accept: CONTENT_TYPES.json, ...request.headers } });
    const text = await readText(body, this.url);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  /** Closes the connections that lie idle, and breaks those that don't. */
  dispose(): void {
    this.#agent.destroy();
  }
}

async function pump(body: AsyncIterable<Uint8Array>, outgoing: ReturnType<typeof httpRequest>): Promise<void> {
  try {
    for await (const chunk of body) {
      if (outgoing.destroyed) return;
      if (!outgoing.write(chunk)) await new Promise<void>((resolve) => outgoing.once("drain", resolve).once("close", resolve));
    }
    outgoing.end();
  } catch (error) {
    outgoing.destroy(error as Error);
  }
}

export async function readBytes(body: AsyncIterable<Uint8Array>, url: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of body) chunks.push(chunk);
  } catch (error) {
    throw toConnectionError(error, url);
  }
  return Buffer.concat(chunks);
}

async function readText(body: AsyncIterable<Uint8Array>, url: string): Promise<string> {
  return (await readBytes(body, url)).toString("utf8");
}

/** What an answer that is no success tells, read to its end. */
export async function toProblemError(incoming: IncomingMessage, status: number): Promise<Error> {
  const text = await readText(incoming, "").catch(() => "");
  const problem = parseProblem(text);
  if (!problem) {
    const code = status === 401 ? "unauthorized" : status === 404 ? "not_found" : "internal";
    return new SamovarError(code, `The server answered ${status}${text ? `: ${text.slice(0, 200)}` : ""}`);
  }
  return fromProblem(problem);
}

export function toConnectionError(error: unknown, url: string): unknown {
  if (error instanceof SamovarError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ECONNREFUSED" || code === "ENOTFOUND" || code === "EAI_AGAIN" || code === "EHOSTUNREACH" || code === "ETIMEDOUT") {
    return new SamovarError("server_unreachable", `No server answers at ${url}: ${code}`, { cause: error });
  }
  if (code === "ECONNRESET" || code === "EPIPE" || code === "ERR_STREAM_PREMATURE_CLOSE") {
    return new SamovarError("server_unreachable", `The server at ${url} broke the connection: ${code}`, {
      cause: error,
      fields: { fix: "It may have stopped or crashed: look at `samovar status` and logs/server.log in SAMOVAR_HOME" },
    });
  }
  return error;
}
