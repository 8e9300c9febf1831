import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { SamovarError } from "@samovar/protocol";
import type { Clock, Logger } from "@samovar/kit";
import { answerClientError, type HttpSocket } from "./client-error.ts";
import { endWithProblem } from "./socket-problem.ts";
import { wantsUpgrade } from "./upgrade.ts";

export interface HttpServerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** From a connection's first byte to the end of a request's head. */
  readonly headersMs: number;
  readonly keepAliveMs: number;
  readonly maxConnections: number;
  /** `expectsContinue`: the client waits for 100 before it sends its body. */
  handle(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void;
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** The request says `Expect`, and not `100-continue`. */
  expects(req: IncomingMessage, res: ServerResponse): void;
}

/** A server that listens, and can be closed with all that is connected to it. */
export interface HttpServer {
  /** Resolves with the address. Rejects with `port_in_use`. */
  listen(host: string, port: number): Promise<string>;
  closeIdle(): void;
  /** Takes nobody new, and resolves when all connections are gone: those that are left after `graceMs` are cut. */
  close(graceMs: number): Promise<void>;
}

/** Of a request's target and headers together. */
const MAX_HEAD_BYTES = 32 * 1024;
const DROPPED_LOG_INTERVAL_MS = 60_000;

export function createHttpServer(options: HttpServerOptions): HttpServer {
  // Not by `import`: that reads all of its exports, and those of WebSocket load fetch (40 ms and 16 MB at the start).
  const server = process.getBuiltinModule("node:http").createServer({
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: options.headersMs,
    // A call may last for hours, and so may its body; slow ones are bounded where they are read.
    requestTimeout: 0,
    keepAliveTimeout: options.keepAliveMs,
    connectionsCheckingInterval: Math.min(5_000, options.headersMs),
    // A request without Host gets a problem, as any other mistake does.
    requireHostHeader: false,
    shouldUpgradeCallback: wantsUpgrade,
  });
  server.maxConnections = options.maxConnections;
  /** Node counts them as connections, and knows them no more: what cuts the others leaves these. */
  const upgraded = new Set<Duplex>();
  server.on("request", (req, res) => options.handle(req, res, false));
  server.on("checkContinue", (req, res) => options.handle(req, res, true));
  server.on("checkExpectation", (req, res) => options.expects(req, res));
  server.on("upgrade", (req, socket, head) => {
    upgraded.add(socket);
    socket.once("close", () => upgraded.delete(socket));
    // Node's own listeners are gone from here on.
    socket.on("error", () => socket.destroy());
    options.upgrade(req, socket, head);
  });
  server.on("connect", (_req, socket) => {
    socket.on("error", () => socket.destroy());
    endWithProblem(socket, new SamovarError("method_not_allowed", "CONNECT is not served: this is no proxy"));
  });
  server.on("clientError", answerClientError);
  logDropped(server, options);
  spareAnswersOnTheirWay(server);

  const cut = (): void => {
    server.closeAllConnections();
    for (const socket of upgraded) socket.destroy();
  };

  return {
    listen: (host, port) => listen(server, host, port),
    closeIdle: () => server.closeIdleConnections(),
    close: (graceMs) =>
      new Promise((resolve) => {
        const stopWaiting = graceMs > 0 ? options.clock.after(graceMs, cut) : undefined;
        server.close(() => {
          stopWaiting?.();
          resolve();
        });
        if (graceMs > 0) server.closeIdleConnections();
        else cut();
      }),
  };
}

/**
 * Node takes a connection for idle as soon as the answer on it has ended, and closes it with what the client has yet to take
 * in. Here idle ones are closed when no answer is on its way any more; `close` of the server asks for that, too.
 */
function spareAnswersOnTheirWay(server: Server): void {
  const closeIdle = server.closeIdleConnections.bind(server);
  const sockets = new Set<HttpSocket>();
  const waitedFor = new WeakSet<ServerResponse>();
  server.on("connection", (socket: HttpSocket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.closeIdleConnections = () => {
    let isIdle = true;
    for (const { _httpMessage: answer } of sockets) {
      if (!answer?.writableEnded || answer.writableFinished) continue;
      isIdle = false;
      if (!waitedFor.has(answer)) answer.once("close", () => server.closeIdleConnections());
      waitedFor.add(answer);
    }
    if (isIdle) closeIdle();
  };
}

/** Connections over the limit are closed without a word; the log says so, once a minute. */
function logDropped(server: Server, { clock, logger, maxConnections }: HttpServerOptions): void {
  let dropped = 0;
  let toldMs = -Infinity;
  server.on("drop", () => {
    dropped++;
    const nowMs = clock.monotonic();
    if (nowMs - toldMs < DROPPED_LOG_INTERVAL_MS) return;
    logger.warn({ dropped, maxConnections }, "Connections are refused: as many are open as SAMOVAR_MAX_CONNECTIONS allows");
    toldMs = nowMs;
    dropped = 0;
  });
}

async function listen(server: Server, host: string, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE") return reject(error);
      reject(
        new SamovarError("port_in_use", `Port ${port} on ${host} is taken: stop what listens there, or pass --port`, {
          cause: error,
          fields: { port, host },
        }),
      );
    });
    server.listen({ host, port }, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError(`The server listens on no port: ${String(address)}`);
  // An address that means "every interface" is not one to call.
  const shown = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "[::1]" : host.includes(":") ? `[${host}]` : host;
  return `http://${shown}:${address.port}`;
}
