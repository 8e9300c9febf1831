import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { MAX_BODY_BYTES, SamovarError, type IdSource } from "@samovar/protocol";
import { systemClock, type Clock, type Logger } from "@samovar/kit";
import type { ControlPlane, FunctionTable } from "@samovar/scheduler";
import type { ControlApi } from "./api/control-api.ts";
import type { Authenticator } from "./authenticator.ts";
import { handleCall, refuse, type DataPlaneContext } from "./data-plane.ts";
import { answerHealth } from "./health.ts";
import { toSamovarError } from "./problem.ts";
import { answerClientError } from "./client-error.ts";
import { splitTarget } from "./route.ts";

export interface GatewayOptions {
  readonly functions: FunctionTable;
  readonly control: ControlPlane;
  readonly authenticator: Authenticator;
  readonly ids: IdSource;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Bodies of calls. Default: 100 MiB. */
  readonly maxBodyBytes?: number;
  /** One content of `PUT /api/v1/blobs/{sha256}`. Default: 1 GiB. */
  readonly maxBlobBytes?: number;
  /** Host names, besides localhost and the loopback addresses, that the control API answers on. */
  readonly hosts?: readonly string[];
  /** Why the server is not ready, for `/readyz`; null when it is. Default: always ready. */
  readonly notReady?: () => string | null;
  readonly timeouts?: Partial<GatewayTimeouts>;
}

export interface GatewayTimeouts {
  /** From a connection's first byte to the end of a request's head. Default: 15 s. */
  readonly headersMs: number;
  /** A small body, gathered before the call begins, must be whole by then. Default: 60 s. */
  readonly gatherMs: number;
  /** The longest silence in a body that is being streamed. Default: 60 s. */
  readonly bodyIdleMs: number;
  /** How long the rest of a body is still taken in after its answer. Default: 5 s. */
  readonly lingerMs: number;
  /** How long a connection without a request is kept. Default: 65 s, over the usual 60 s of what stands before it. */
  readonly keepAliveMs: number;
}

const DEFAULT_TIMEOUTS: GatewayTimeouts = Object.freeze({ headersMs: 15_000, gatherMs: 60_000, bodyIdleMs: 60_000, lingerMs: 5_000, keepAliveMs: 65_000 });
const MAX_BLOB_BYTES = 1024 * 1024 * 1024;
const MAX_HEADER_BYTES = 32 * 1024;

export interface Gateway {
  /** Resolves with the server's address, `http://127.0.0.1:8700`. Port 0 takes a free one. Rejects with `port_in_use`. */
  listen(host: string, port: number): Promise<string>;
  /** `/readyz` says 503 and new calls get `shutting_down`; those under way go on. */
  drain(): void;
  /**
   * Drains, ends the streams of events and logs, takes no new connections, and resolves when all are closed: those
   * still busy after `graceMs` are cut.
   */
  dispose(options: { readonly graceMs: number }): Promise<void>;
}

/**
 * The front door: one `node:http` server for calls, control API and health.
 *
 * States: open → draining by `drain` → closing by `dispose` → closed when the last connection is gone.
 */
export function createGateway(options: GatewayOptions): Gateway {
  const clock = options.clock ?? systemClock;
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const maxBodyBytes = options.maxBodyBytes ?? MAX_BODY_BYTES;
  const logger = options.logger.child({ part: "gateway" });
  let draining = false;
  let closed: Promise<void> | undefined;

  const context: DataPlaneContext = {
    clock,
    lingerMs: timeouts.lingerMs,
    get draining() {
      return draining;
    },
    closed: () => {
      // A connection whose call ends now would otherwise idle until its keep-alive timeout.
      if (draining) setImmediate(() => server.closeIdleConnections());
    },
    functions: options.functions,
    authenticator: options.authenticator,
    ids: options.ids,
    limits: { maxBytes: maxBodyBytes, gatherMs: timeouts.gatherMs, idleMs: timeouts.bodyIdleMs },
    onInternalError: (error) => logger.error({ error }, "A call failed in the gateway"),
  };
  let api: ControlApi | null = null;
  let loadingApi: Promise<ControlApi> | null = null;
  // A server that nobody administers never loads the control API: router, schemas and fetch's Response take 25 MB.
  const loadApi = async (): Promise<ControlApi> => {
    const { createControlApi } = await import("./api/control-api.ts");
    return (api = createControlApi({
      control: options.control,
      authenticator: options.authenticator,
      clock,
      logger,
      hosts: options.hosts ?? [],
      maxBlobBytes: options.maxBlobBytes ?? MAX_BLOB_BYTES,
      bodyIdleMs: timeouts.bodyIdleMs,
      lingerMs: timeouts.lingerMs,
      isDraining: () => draining,
    }));
  };
  const administer = (req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void => {
    if (api) return api.handle(req, res, expectsContinue);
    (loadingApi ??= loadApi()).then(
      (loaded) => loaded.handle(req, res, expectsContinue),
      (error: unknown) => {
        logger.error({ error }, "The control API can't be loaded");
        refuse(context, req, res, toSamovarError(error), expectsContinue);
      },
    );
  };

  const handle = (req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void => {
    let url = req.url!;
    if (url.charCodeAt(0) !== 0x2f) {
      try {
        const { path, query } = splitTarget(url);
        url = req.url = query === "" ? path : `${path}?${query}`;
      } catch (error) {
        return refuse(context, req, res, toSamovarError(error), expectsContinue);
      }
    }
    if (isUnder(url, "/api")) {
      res.once("close", context.closed);
      return administer(req, res, expectsContinue);
    }
    if (draining) res.once("close", context.closed);
    if (isAt(url, "/livez")) return answerHealth(req, res, null);
    if (isAt(url, "/readyz")) return answerHealth(req, res, draining ? "draining" : (options.notReady?.() ?? null));
    if (draining)
      return refuse(context, req, res, new SamovarError("shutting_down", "The server is shutting down: call again when it is back"), expectsContinue);
    handleCall(context, req, res, expectsContinue);
  };

  // Not by `import`: that reads all of its exports, and those of WebSocket load fetch (40 ms and 16 MB at the start).
  const server = process.getBuiltinModule("node:http").createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: timeouts.headersMs,
    // A call may last for hours, and so may its body; slow ones are bounded where they are read.
    requestTimeout: 0,
    keepAliveTimeout: timeouts.keepAliveMs,
    connectionsCheckingInterval: Math.min(5_000, timeouts.headersMs),
  });
  server.on("request", (req, res) => handle(req, res, false));
  server.on("checkContinue", (req, res) => handle(req, res, true));
  server.on("clientError", answerClientError);

  const drain = (): void => {
    draining = true;
  };

  return {
    listen: (host, port) => listen(server, host, port),
    drain,
    dispose: ({ graceMs }) => {
      drain();
      if (api) api.endStreams();
      // Behind the requests that wait for it, so that theirs end, too.
      else
        loadingApi?.then(
          (loaded) => loaded.endStreams(),
          () => {},
        );
      return (closed ??= close(server, clock, graceMs));
    },
  };
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

function close(server: Server, clock: Clock, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const stopWaiting = graceMs > 0 ? clock.after(graceMs, () => server.closeAllConnections()) : undefined;
    server.close(() => {
      stopWaiting?.();
      resolve();
    });
    if (graceMs > 0) server.closeIdleConnections();
    else server.closeAllConnections();
  });
}

const isAt = (url: string, path: string): boolean => url.startsWith(path) && (url.length === path.length || url[path.length] === "?");

const isUnder = (url: string, path: string): boolean =>
  url.startsWith(path) && (url.length === path.length || url[path.length] === "/" || url[path.length] === "?");
