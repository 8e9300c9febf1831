/**
 * The one catalogue of everything that can go wrong and has a name. `docs/errors.md` is checked against it.
 *
 * `status` is the HTTP status a caller sees. `fault` says who can mend it: the `caller` of a function, the
 * `author` of the app, the `operator` of the server, or `samovar` itself. `retry` says whether the same call may
 * succeed later.
 */
export const ERROR_CATALOGUE = {
  // Calls
  invalid_json: {
    status: 400,
    fault: "caller",
    retry: false,
    title: "Body is not JSON",
    fix: "Send a JSON body, or set a content-type other than application/json and read ctx.request",
  },
  invalid_request: { status: 400, fault: "caller", retry: false, title: "Request is malformed", fix: "Read the detail: it names the header, query or field" },
  invalid_input: { status: 422, fault: "caller", retry: false, title: "Input fails the function's schema", fix: "Mend the fields that `issues` lists" },
  unauthorized: {
    status: 401,
    fault: "caller",
    retry: false,
    title: "Token is missing or unknown",
    fix: "Send Authorization: Bearer TOKEN; `samovar up` prints where the admin token is kept",
  },
  forbidden: { status: 403, fault: "caller", retry: false, title: "Token may not do this", fix: "Use a token with the scope that the detail names" },
  not_found: { status: 404, fault: "caller", retry: false, title: "Nothing has this name", fix: "Check the name; the detail lists near ones" },
  method_not_allowed: { status: 405, fault: "caller", retry: false, title: "HTTP method is not served here", fix: "Use the method that `allow` names" },
  payload_too_large: { status: 413, fault: "caller", retry: false, title: "Body is over the limit", fix: "Send less, or raise the server's limit" },
  too_many_pending: {
    status: 429,
    fault: "caller",
    retry: true,
    title: "Too many inputs are waiting",
    fix: "Try again after retry-after, or raise maxPendingTasks or maxContainers",
  },
  idempotency_conflict: {
    status: 422,
    fault: "caller",
    retry: false,
    title: "The idempotency key was used for another input",
    fix: "Give each piece of work a key of its own",
  },
  expired: {
    status: 410,
    fault: "caller",
    retry: false,
    title: "The task expired before an attempt began",
    fix: "Raise `ttl`, or find out what it waited for; `samovar task retry ID` queues it again",
  },
  cancelled: { status: 499, fault: "caller", retry: false, title: "The caller left or cancelled", fix: "Nothing; `headless: true` lets the function go on" },

  // The function's own doing
  handler_error: { status: 500, fault: "author", retry: false, title: "The handler threw", fix: "Mend the handler; `samovar logs` has the stack" },
  unserializable_result: { status: 500, fault: "author", retry: false, title: "The result can't be sent", fix: "Return plain data; the detail names the path" },
  invalid_output: {
    status: 500,
    fault: "author",
    retry: false,
    title: "Result fails the function's output schema",
    fix: "Mend the handler or the schema; `issues` lists the fields",
  },
  unserializable_input: { status: 400, fault: "caller", retry: false, title: "The input can't be sent", fix: "Pass plain data; the detail names the path" },
  batch_mismatch: {
    status: 500,
    fault: "author",
    retry: false,
    title: "A batch handler returned the wrong number of results",
    fix: "Return one result for each input, in order",
  },
  timeout: {
    status: 504,
    fault: "author",
    retry: true,
    title: "The input's timeout passed",
    fix: "Make it faster, or raise `timeout`; pass ctx.signal on so that work stops",
  },
  container_lost: {
    status: 502,
    fault: "author",
    retry: true,
    title: "The container was lost while it held the input",
    fix: "The reason is in the detail: an exit, a signal or running out of memory",
  },
  drained: { status: 502, fault: "operator", retry: true, title: "The container was stopped before the input was done", fix: "Call again" },

  // Lifecycle
  start_failed: {
    status: 503,
    fault: "author",
    retry: true,
    title: "The pool can't start a container",
    fix: "Mend the hook or module that the detail names; `serve` loads the edit, a deployed function is tried again by itself",
  },
  build_failed: { status: 503, fault: "author", retry: false, title: "onBuild failed", fix: "Mend the hook; nothing was changed" },
  deploy_failed: { status: 503, fault: "author", retry: false, title: "onDeploy failed", fix: "Mend the hook; the version was not activated" },
  no_capacity: { status: 503, fault: "operator", retry: true, title: "No container had room in time", fix: "Raise maxContainers, concurrency or queueTimeout" },
  stopped: {
    status: 503,
    fault: "operator",
    retry: false,
    title: "The deployment was stopped",
    fix: "Start it: samovar deployment start NAME",
  },
  shutting_down: { status: 503, fault: "operator", retry: true, title: "The server is shutting down", fix: "Call again when it is back" },

  // Definitions
  invalid_definition: { status: 400, fault: "author", retry: false, title: "A definition has a mistake", fix: "The message shows the corrected code" },
  invalid_option: { status: 400, fault: "author", retry: false, title: "An option has a mistake", fix: "The message names the option and what it takes" },
  bundle_failed: { status: 400, fault: "author", retry: false, title: "The module can't be bundled", fix: "Mend the lines that the message shows" },
  load_failed: { status: 400, fault: "author", retry: false, title: "The module can't be loaded", fix: "Mend the error that the message shows" },
  no_session: {
    status: 400,
    fault: "author",
    retry: false,
    title: "Handles are live only under samovar",
    fix: "Run the file with `samovar run FILE`, or call a server with `new Client({ url, token })`",
  },

  // Server and machine
  home_locked: {
    status: 409,
    fault: "operator",
    retry: false,
    title: "Another server holds SAMOVAR_HOME",
    fix: "Use that server, stop it with `samovar down`, or set another SAMOVAR_HOME",
  },
  port_in_use: { status: 409, fault: "operator", retry: false, title: "The port is taken", fix: "Stop what listens there, or pass --port" },
  server_unreachable: { status: 503, fault: "operator", retry: true, title: "No server answers", fix: "Start one with `samovar up`, or check SAMOVAR_URL" },
  conflict: { status: 409, fault: "caller", retry: false, title: "It conflicts with what is there", fix: "Choose another name, or do what the detail says" },
  protocol_error: {
    status: 502,
    fault: "samovar",
    retry: true,
    title: "A runner broke the protocol",
    fix: "Its connection was ended; report this if the runner is ours",
  },
  unsupported: { status: 501, fault: "operator", retry: false, title: "This machine or driver can't do it", fix: "The detail names the missing capability" },
  storage_failed: { status: 503, fault: "operator", retry: true, title: "State could not be read or written", fix: "Check the disk that holds SAMOVAR_HOME" },
  internal: { status: 500, fault: "samovar", retry: true, title: "Something of ours went wrong", fix: "Report it with the server's log" },
} as const satisfies Record<string, CatalogueEntry>;

interface CatalogueEntry {
  readonly status: number;
  readonly fault: "caller" | "author" | "operator" | "samovar";
  readonly retry: boolean;
  readonly title: string;
  readonly fix: string;
}

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** One thing a schema found wrong, in the shape of Standard Schema. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (string | number)[];
}

export interface SamovarErrorOptions {
  readonly cause?: unknown;
  /** Extra members of the problem document, such as `issues`, `phase` or `hook`. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

const BRAND = Symbol.for("samovar.error");

/**
 * Every error that Samovar itself raises. `code` is stable and listed in the catalogue; the message says what
 * happened and what to do.
 *
 * @example
 * try { await predict.remote({ text: "hi" }); }
 * catch (error) { if (error instanceof SamovarError && error.code === "timeout") retryLater(); }
 */
export class SamovarError extends Error {
  override readonly name: string = "SamovarError";
  readonly code: ErrorCode;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly [BRAND] = true;

  constructor(code: ErrorCode, message: string, options: SamovarErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.fields = options.fields ?? {};
  }

  get status(): number {
    return ERROR_CATALOGUE[this.code].status;
  }

  /** By brand, so that it holds across two copies of the package (bundle and runner each have one). */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[BRAND] === true;
  }
}

/** An error as it crosses a connection: name, message, source-mapped stack and cause, never a class instance. */
export interface SerializedError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: SerializedError;
  /** The catalogue's code where Samovar raised it. */
  readonly code?: string;
  readonly fields?: Readonly<Record<string, unknown>>;
  /** The members of an AggregateError. */
  readonly errors?: readonly SerializedError[];
}

const MAX_CAUSES = 8;
const MAX_TEXT = 64 * 1024;

/** Anything thrown, errors or not, as plain data. Never throws, whatever getters the value has. */
export function toSerializedError(thrown: unknown, depth = 0): SerializedError {
  try {
    if (!isErrorLike(thrown)) return { name: "Error", message: `A non-error was thrown: ${showThrown(thrown)}` };
    const error = thrown;
    const samovar = SamovarError[Symbol.hasInstance](error) ? (error as unknown as SamovarError) : undefined;
    return {
      name: clip(error.name || "Error"),
      message: clip(error.message),
      ...(typeof error.stack === "string" ? { stack: clip(error.stack) } : {}),
      ...(error.cause !== undefined && depth < MAX_CAUSES ? { cause: toSerializedError(error.cause, depth + 1) } : {}),
      ...(samovar ? { code: samovar.code, fields: { ...samovar.fields } } : {}),
      ...(error instanceof AggregateError && depth < MAX_CAUSES ? { errors: error.errors.slice(0, 20).map((e) => toSerializedError(e, depth + 1)) } : {}),
    };
  } catch {
    return { name: "Error", message: "An error was thrown that can't be read" };
  }
}

/**
 * The error that a caller of a handle catches. Where Samovar raised it, a `SamovarError` with the same code;
 * otherwise an `Error` with the remote name, message, stack and cause. It never has a stack of its own: what was thrown
 * without one says no place, rather than this one, which has nothing to do with it.
 */
export function fromSerializedError(data: SerializedError): Error {
  const cause = data.cause ? fromSerializedError(data.cause) : undefined;
  const error =
    data.code !== undefined && data.code in ERROR_CATALOGUE
      ? new SamovarError(data.code as ErrorCode, data.message, { cause, ...(data.fields ? { fields: data.fields } : {}) })
      : new Error(data.message, cause ? { cause } : undefined);
  if (error.name !== data.name) Object.defineProperty(error, "name", { value: data.name, configurable: true, writable: true });
  const stack = data.stack || (data.message === "" ? data.name : `${data.name}: ${data.message}`);
  Object.defineProperty(error, "stack", { value: stack, configurable: true, writable: true });
  if (data.errors) Object.defineProperty(error, "errors", { value: data.errors.map(fromSerializedError), configurable: true });
  return error;
}

function isErrorLike(value: unknown): value is Error {
  return (
    value instanceof Error ||
    (typeof value === "object" && value !== null && typeof (value as Error).message === "string" && typeof (value as Error).name === "string")
  );
}

function showThrown(value: unknown): string {
  if (typeof value === "string") return clip(value);
  try {
    return clip(JSON.stringify(value) ?? String(value));
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/** Bounded, and sendable: a text cut through a character (an emoji sliced in two) must not cost the error itself. */
const clip = (text: unknown): string => {
  const s = String(text);
  return (s.length > MAX_TEXT ? `${s.slice(0, MAX_TEXT)}…` : s).toWellFormed();
};
