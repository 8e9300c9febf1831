import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Clock } from "@samovar/kit";
import type { CallbackAnswer } from "./callback-retries.ts";
import { TargetRefused, type Target } from "./target-guard.ts";

/** Enough for a reason in words. */
const MAX_TEXT_BYTES = 1_024;
/** For the text behind the status, which is known by then. */
const TEXT_WAIT_MS = 1_000;
const IDLE_MS = 10_000;
const IDLE_PER_HOST = 4;

/** Connections to receivers, kept for the next callback a while. */
export class CallbackConnections {
  // Agents of our own: the global one may be told by the environment to use a proxy, which would connect where we don't see it.
  readonly #http = new HttpAgent({ keepAlive: true, maxFreeSockets: IDLE_PER_HOST, timeout: IDLE_MS });
  readonly #https = new HttpsAgent({ keepAlive: true, maxFreeSockets: IDLE_PER_HOST, timeout: IDLE_MS });

  request(target: Target, options: RequestOptions): ClientRequest {
    return target.url.protocol === "https:"
      ? httpsRequest(target.url, { ...options, lookup: target.lookup, agent: this.#https })
      : httpRequest(target.url, { ...options, lookup: target.lookup, agent: this.#http });
  }

  dispose(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

export interface PostOptions {
  readonly connections: CallbackConnections;
  readonly target: Target;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** For all of it: name, connection and answer. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** One try. Resolves to null when it was given up by the signal; never rejects. */
export async function postCallback(options: PostOptions): Promise<CallbackAnswer | null> {
  for (let tries = 0; tries <= IDLE_PER_HOST; tries++) {
    const answer = await postOnce(options);
    if (answer !== "stale") return answer;
    // The receiver closed a connection that was kept, at the moment at which it was taken again: nothing was answered on it.
  }
  return unanswered("The receiver closes its connections");
}

function postOnce({ connections, target, headers, body, timeoutMs, clock, signal }: PostOptions): Promise<CallbackAnswer | "stale" | null> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(null);
    let head: IncomingMessage | undefined;
    const chunks: Buffer[] = [];
    let request: ClientRequest | undefined;
    const finish = (answer: CallbackAnswer | "stale" | null): void => {
      cancelTimer();
      signal.removeEventListener("abort", giveUp);
      resolve(answer);
    };
    const finishWithHead = (): void => {
      if (head) finish(toAnswer(head, Buffer.concat(chunks).subarray(0, MAX_TEXT_BYTES)));
    };
    /** Ends the connection as well: what comes on it later is of no interest. */
    const cut = (run: () => void): void => {
      run();
      request?.destroy();
    };
    const giveUp = (): void => cut(() => (head ? finishWithHead() : finish(null)));
    const late = (): void => cut(() => (head ? finishWithHead() : finish(unanswered(`No answer within ${timeoutMs / 1_000} s`))));
    let cancelTimer = clock.after(timeoutMs, late);
    signal.addEventListener("abort", giveUp);
    try {
      request = connections.request(target, { method: "POST", headers: { ...headers, "content-length": String(body.byteLength) } });
    } catch (error) {
      return finish(unanswered(describe(error)));
    }
    request.on("error", (error: NodeJS.ErrnoException) => {
      if (head) finishWithHead();
      else if (request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE")) finish("stale");
      else finish(unanswered(describe(error), error instanceof TargetRefused && error.isFinal));
    });
    request.on("response", (response) => {
      head = response;
      cancelTimer();
      cancelTimer = clock.after(TEXT_WAIT_MS, late);
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size > MAX_TEXT_BYTES) cut(finishWithHead);
      });
      response.on("end", finishWithHead);
      response.on("error", finishWithHead);
      response.on("close", finishWithHead);
    });
    // Closed without a word, as after an answer to change the protocol.
    request.on("close", () => (head ? finishWithHead() : finish(unanswered("The connection was closed without an answer"))));
    request.end(body);
  });
}

function toAnswer(head: IncomingMessage, text: Buffer): CallbackAnswer {
  return {
    kind: "answered",
    status: head.statusCode ?? 0,
    retryAfter: head.headers["retry-after"] ?? null,
    location: head.headers.location ?? null,
    text: text.toString("utf8"),
  };
}

function unanswered(error: string, isFinal = false): CallbackAnswer {
  return { kind: "unanswered", error, isFinal };
}

/** Of a name with several addresses each has failed on its own. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(describe).join("; ");
  const { message, code } = error as NodeJS.ErrnoException;
  return message || code || "The connection failed";
}
