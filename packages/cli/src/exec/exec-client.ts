import type { IncomingMessage } from "node:http";
import type { WebSocket as WebSocketType } from "ws";
import { EXEC_STREAM, SamovarError, fromProblem, isProblem, type ExecReply, type ExecRequest, type ExecSignal } from "@samovar/protocol";
import { toConnectionError, toProblemError, type HttpClient } from "../client/http-client.ts";

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface ExecExit {
  /** As a shell tells it. */
  readonly code: number;
  readonly signal: string | null;
}

/** A program in a container, as its client holds it. */
export interface RemoteExec {
  /** Resolves when it has been sent, so that the sender goes no faster than the program. */
  send(chunk: Uint8Array): Promise<void>;
  endInput(): void;
  resize(size: TerminalSize): void;
  signal(name: string): void;
  /** After the last output. Rejects with the server's problem, or when the connection breaks. */
  readonly exited: Promise<ExecExit>;
  /** The server ends the program. Idempotent, and harmless after its end. */
  hangUp(): void;
}

export interface ExecEvents {
  /** It runs; before any of its output is told. */
  started(): void;
  output(stream: "stdout" | "stderr", chunk: Buffer): void;
}

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/**
 * Starts a program in a container and resolves when it runs. Rejects with the server's problem.
 *
 * States: opening → starting (the request was sent) → running (`started`) → over (`exit`, `failed`, or the connection's end).
 */
export async function openExec(http: HttpClient, containerId: string, request: ExecRequest, events: ExecEvents, signal: AbortSignal): Promise<RemoteExec> {
  signal.throwIfAborted();
  // Node's own client can't send headers. Loaded here, as few commands need it.
  const { WebSocket } = await import("ws");
  const socket = new WebSocket(`${http.url.replace(/^http/, "ws")}/api/v1/containers/${encodeURIComponent(containerId)}/exec`, {
    headers: http.token === null ? {} : { authorization: `Bearer ${http.token}` },
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
  });
  const started = Promise.withResolvers<void>();
  const exited = Promise.withResolvers<ExecExit>();
  // Whoever waits for the start is told of a failure there; afterwards this is what tells it.
  exited.promise.catch(() => {});
  const fail = (error: unknown): void => {
    started.reject(error);
    exited.reject(error);
    socket.terminate();
  };
  const onReply = (reply: ExecReply): void => {
    if (reply.type === "started") {
      events.started();
      started.resolve();
    } else if (reply.type === "exit") exited.resolve({ code: reply.code, signal: reply.signal });
    else fail(isProblem(reply.problem) ? fromProblem(reply.problem) : new SamovarError("protocol_error", "The server told a failure without saying which"));
  };
  socket.on("open", () => socket.send(JSON.stringify(request)));
  socket.on("unexpected-response", (_request, response: IncomingMessage) => void toProblemError(response, response.statusCode ?? 0).then(fail));
  socket.on("message", (data: Buffer, isBinary: boolean) => {
    if (!isBinary) return onReply(JSON.parse(data.toString()) as ExecReply);
    events.output(data[0] === EXEC_STREAM.stderr ? "stderr" : "stdout", data.subarray(1));
  });
  socket.on("error", (error) => fail(toConnectionError(error, http.url)));
  socket.on("close", (code, reason) => fail(closed(http.url, code, reason.toString())));
  const onAbort = (): void => fail(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await started.promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }

  const tell = (message: ExecSignal): void => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  };
  return {
    send: (chunk) => sendInput(socket, chunk),
    endInput: () => void sendInput(socket, new Uint8Array()),
    resize: ({ columns, rows }) => tell({ type: "resize", columns, rows }),
    signal: (name) => tell({ type: "signal", signal: name }),
    exited: exited.promise,
    hangUp: () => socket.close(),
  };
}

function sendInput(socket: WebSocketType, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== socket.OPEN) resolve();
    else socket.send(Buffer.concat([Buffer.of(EXEC_STREAM.stdin), chunk]), () => resolve());
  });
}

function closed(url: string, code: number, reason: string): SamovarError {
  if (reason !== "") return new SamovarError("protocol_error", `The server at ${url} closed the connection (${code}): ${reason}`);
  return new SamovarError("server_unreachable", `The server at ${url} broke the connection before the program's end was told`, {
    fields: { fix: "It may have stopped or crashed: look at `samovar status` and logs/server.log in SAMOVAR_HOME" },
  });
}
