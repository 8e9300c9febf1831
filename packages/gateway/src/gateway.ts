import type { IncomingMessage, ServerResponse } from "node:http";
import { MAX_TASK_BYTES, MAX_BODY_BYTES, SamovarError, show, type IdSource } from "@samovar/protocol";
import { systemClock, type Clock, type Logger } from "@samovar/kit";
import type { ControlPlane, FunctionEntry, FunctionTable } from "@samovar/scheduler";
import type { ControlApi } from "./api/control-api.ts";
import { ByteBudget } from "./byte-budget.ts";
import type { Authenticator } from "./authenticator.ts";
import { handleCall, refuse, type DataPlaneContext } from "./data-plane.ts";
import { answerHealth } from "./health.ts";
import { Hosts, withoutHost } from "./host.ts";
import { createHttpServer } from "./http-server.ts";
import { assertMayReadMetrics, sendMetrics, type MetricsAnswer } from "./metrics-route.ts";
import { toSamovarError } from "./problem.ts";
import { dropRest, hasBody } from "./request-body.ts";
import { splitTarget, takeOriginForm } from "./route.ts";
import { handleUpgrade, isExecPath, type ExecUpgrade } from "./upgrade.ts";

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
  /** Open at once; more are closed. Default: 4096. */
  readonly maxConnections?: number;
  /** Names of this server besides localhost and IP addresses, with `{function}.{name}` below each. */
  readonly hosts?: readonly string[];
  /** Why the server is not ready, for `/readyz`; null when it is. Default: always ready. */
  readonly notReady?: () => string | null;
  /** What `/metrics` answers; without it there is nothing there. */
  readonly metrics?: () => Promise<MetricsAnswer>;
  /**
   * Told once for each call that was let in, when it is over. `status` is what came of it: the answer's, of a stream that
   * broke off that of its error, 499 when the caller left before the end.
   */
  readonly onCallEnded?: (entry: FunctionEntry, status: number, durationMs: number) => void;
  readonly execUpgrade?: ExecUpgrade;
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
  /** How long a client that was sent something may take in nothing of it. Default: 5 min. */
  readonly readerIdleMs: number;
  /** How long a connection without a request is kept. Default: 65 s, over the usual 60 s of what stands before it. */
  readonly keepAliveMs: number;
}

const DEFAULT_TIMEOUTS: GatewayTimeouts = Object.freeze({
  headersMs: 15_000,
  gatherMs: 60_000,
  bodyIdleMs: 60_000,
  lingerMs: 5_000,
  readerIdleMs: 300_000,
  keepAliveMs: 65_000,
});
const MAX_BLOB_BYTES = 1024 * 1024 * 1024;
/** Of large bodies that are to be queued, all together. */
const MAX_GATHERED_BYTES = 256 * 1024 * 1024;
const MAX_CONNECTIONS = 4_096;
const MAX_HEADERS = 200;

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
 * The front door: one `node:http` server for calls, control API, health and metrics.
 *
 * States: open → draining by `drain` → closing by `dispose` → closed when the last connection is gone.
 */
export function createGateway(options: GatewayOptions): Gateway {
  const clock = options.clock ?? systemClock;
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const logger = options.logger.child({ part: "gateway" });
  const hosts = new Hosts(options.hosts ?? []);
  let draining = false;
  let closed: Promise<void> | undefined;

  const maxBytes = options.maxBodyBytes ?? MAX_BODY_BYTES;
  const limits = { maxBytes, gatherMs: timeouts.gatherMs, idleMs: timeouts.bodyIdleMs };
  const context: DataPlaneContext = {
    clock,
    lingerMs: timeouts.lingerMs,
    readerIdleMs: timeouts.readerIdleMs,
    get draining() {
      return draining;
    },
    closed: () => {
      // A connection whose call ends now would otherwise idle until its keep-alive timeout.
      if (draining) setImmediate(() => server.closeIdle());
    },
    callEnded: options.onCallEnded ?? (() => {}),
    functions: options.functions,
    authenticator: options.authenticator,
    ids: options.ids,
    tasks: options.control.tasks,
    schedules: options.control.schedules,
    waiting: new Set(),
    limits,
    taskLimits: { ...limits, maxBytes: Math.min(maxBytes, MAX_TASK_BYTES) },
    taskBodies: new ByteBudget(MAX_GATHERED_BYTES),
    onInternalError: (error) => logger.error({ error }, "A call failed in the gateway"),
  };
  let api: ControlApi | null = null;
  let loadingApi: Promise<ControlApi> | null = null;
  // A server that nobody administers never loads the control API: router, schemas and fetch's Response take 25 MB.
  const loadApi = async (): Promise<ControlApi> => {
    const { createControlApi } = await import("./api/control-api.ts");
    return (api = createControlApi({
      control: options.control,
      functions: options.functions,
      authenticator: options.authenticator,
      clock,
      logger,
      maxBlobBytes: options.maxBlobBytes ?? MAX_BLOB_BYTES,
      maxBodyBytes: maxBytes,
      answers: context,
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

  const tellMetrics = (metrics: () => Promise<MetricsAnswer>, req: IncomingMessage, res: ServerResponse): void => {
    metrics().then(
      (answer) => sendMetrics(req, res, answer),
      (error: unknown) => {
        logger.error({ error }, "The metrics can't be told");
        refuse(context, req, res, toSamovarError(error), false);
      },
    );
  };

  /** What is only read takes no body; one that comes all the same is not taken in without end. */
  const read = (req: IncomingMessage, res: ServerResponse, answer: () => void): void => {
    if (hasBody(req)) res.once("finish", () => dropRest(req, clock, timeouts.lingerMs));
    answer();
  };

  /** By host first, as a function's own host has none of the server's paths. Throws what keeps the request out. */
  const dispatch = (req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void => {
    const url = takeOriginForm(req);
    const host = hosts.read(req.rawHeaders);
    const isFunctions = host !== undefined && host.kind === "function";
    if (!isFunctions) {
      // Whoever asks how the server is may have no name for it.
      if (isAt(url, "/livez")) return read(req, res, () => answerHealth(req, res, null));
      if (isAt(url, "/readyz")) return read(req, res, () => answerHealth(req, res, draining ? "draining" : (options.notReady?.() ?? null)));
      if (host === undefined) throw withoutHost();
      if (host.kind === "foreign") throw hosts.refuse(host.name);
      if (isUnder(url, "/api")) {
        if (isExecPath(splitTarget(url).path)) return refuse(context, req, res, WEBSOCKET_ONLY, expectsContinue, UPGRADE_REQUIRED);
        res.once("close", context.closed);
        return administer(req, res, expectsContinue);
      }
      if (options.metrics && isAt(url, "/metrics")) {
        assertMayReadMetrics(req, host, options.authenticator);
        return read(req, res, () => tellMetrics(options.metrics!, req, res));
      }
    }
    if (draining) throw new SamovarError("shutting_down", "The server is shutting down: call again when it is back");
    handleCall(context, isFunctions ? host : null, req, res, expectsContinue);
  };

  const handle = (req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void => {
    if (draining) res.once("close", context.closed);
    if (req.rawHeaders.length > 2 * MAX_HEADERS) return refuse(context, req, res, TOO_MANY_HEADERS, expectsContinue, { status: 431 });
    try {
      dispatch(req, res, expectsContinue);
    } catch (error) {
      const problem = toSamovarError(error);
      if (problem.code === "internal") context.onInternalError(error);
      refuse(context, req, res, problem, expectsContinue);
    }
  };

  const server = createHttpServer({
    clock,
    logger,
    headersMs: timeouts.headersMs,
    keepAliveMs: timeouts.keepAliveMs,
    maxConnections: options.maxConnections ?? MAX_CONNECTIONS,
    handle,
    upgrade: (req, socket, head) =>
      handleUpgrade({ hosts, draining, execUpgrade: options.execUpgrade, onInternalError: context.onInternalError }, req, socket, head),
    expects: (req, res) => refuse(context, req, res, odd(req), true, { status: 417 }),
  });

  const drain = (): void => {
    draining = true;
  };

  return {
    listen: (host, port) => {
      hosts.add(host);
      return server.listen(host, port);
    },
    drain,
    dispose: ({ graceMs }) => {
      drain();
      for (const call of context.waiting) call.release();
      if (api) api.endStreams();
      // Behind the requests that wait for it, so that theirs end, too.
      else
        loadingApi?.then(
          (loaded) => loaded.endStreams(),
          () => {},
        );
      return (closed ??= server.close(graceMs));
    },
  };
}

const TOO_MANY_HEADERS = new SamovarError("invalid_request", `The request has more than ${MAX_HEADERS} headers: send fewer`);
const WEBSOCKET_ONLY = new SamovarError("invalid_request", "A program in a container is run over a WebSocket: send this request as its upgrade");
const UPGRADE_REQUIRED = { status: 426, headers: ["upgrade", "websocket", "connection", "upgrade"] };
const odd = (req: IncomingMessage): SamovarError =>
  new SamovarError("invalid_request", `The header Expect is ${show(req.headers.expect)}: only 100-continue can be met`);

const isAt = (url: string, path: string): boolean => url.startsWith(path) && (url.length === path.length || url[path.length] === "?");

const isUnder = (url: string, path: string): boolean =>
  url.startsWith(path) && (url.length === path.length || url[path.length] === "/" || url[path.length] === "?");
