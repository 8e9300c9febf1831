import type { ServerResponse } from "node:http";
import { CONTENT_TYPES, ERROR_CATALOGUE, SamovarError, type ErrorCode, type ProblemDocument, type SerializedError } from "@samovar/protocol";

/** Header names and values in turn, as `writeHead` takes them fastest. */
export type FlatHeaders = (string | number)[];

export interface ProblemOptions {
  /** What the handler threw, for clients that raise it again. */
  readonly thrown?: SerializedError | null;
  /** Under `serve` and `run`, and for admins. */
  readonly stacks?: boolean;
  /** In place of the catalogue's: for those of HTTP itself, such as 431. */
  readonly status?: number;
}

const DEFAULT_RETRY_AFTER_S = 1;
const MAX_CAUSES = 8;

/** RFC 9457 document of an error. `type` is a stable name, not an address. */
export function toProblem(error: SamovarError, options: ProblemOptions = {}): ProblemDocument {
  const entry = ERROR_CATALOGUE[error.code];
  return {
    ...error.fields,
    type: problemType(error.code),
    title: entry.title,
    status: options.status ?? entry.status,
    detail: error.message,
    code: error.code,
    ...(options.thrown ? { error: shownError(options.thrown, options.stacks ?? false) } : {}),
  };
}

export const problemType = (code: ErrorCode): string => `urn:samovar:error:${code}`;

/** Seconds for `retry-after`, where the status has one and the same call may succeed by itself later. */
function retryAfterSeconds(error: SamovarError): number | undefined {
  if ((error.status !== 429 && error.status !== 503) || !ERROR_CATALOGUE[error.code].retry) return undefined;
  const known = error.fields["retryAfterMs"];
  return typeof known === "number" && known > 0 ? Math.ceil(known / 1_000) : DEFAULT_RETRY_AFTER_S;
}

/** Headers that follow from the code alone. */
export function problemHeaders(error: SamovarError): FlatHeaders {
  const headers: FlatHeaders = [];
  const retryAfter = retryAfterSeconds(error);
  if (retryAfter !== undefined) headers.push("retry-after", retryAfter);
  if (error.code === "unauthorized") headers.push("www-authenticate", "Bearer");
  const allow = error.fields["allow"];
  if (error.code === "method_not_allowed" && Array.isArray(allow)) headers.push("allow", allow.join(", "));
  return headers;
}

/** A problem as bytes. Fields are their raiser's and may hold anything: what is not JSON is left out. */
export function encodeProblem(problem: ProblemDocument): Buffer {
  try {
    return Buffer.from(JSON.stringify(problem));
  } catch {
    const { type, title, status, detail, code } = problem;
    return Buffer.from(JSON.stringify({ type, title, status, detail, code }));
  }
}

/** Answers with a problem. The head must not have been sent. */
export function sendProblem(res: ServerResponse, error: SamovarError, options: ProblemOptions & { readonly headers?: FlatHeaders } = {}): void {
  const body = encodeProblem(toProblem(error, options));
  res.writeHead(options.status ?? error.status, [
    "content-type",
    CONTENT_TYPES.problem,
    "content-length",
    body.length,
    "cache-control",
    "no-store",
    ...problemHeaders(error),
    ...(options.headers ?? []),
  ] as string[]);
  res.end(body);
}

/** Anything caught, as an error of the catalogue. What is not ours is `internal`, and its text stays here. */
export function toSamovarError(thrown: unknown): SamovarError {
  if (thrown instanceof SamovarError) return thrown;
  return new SamovarError("internal", "The server failed on this request: see its log", { cause: thrown });
}

/** An error as this caller may see it. */
export function shownError(error: SerializedError, stacks: boolean, depth = 0): SerializedError {
  return {
    name: error.name,
    message: error.message,
    ...(stacks && error.stack !== undefined ? { stack: error.stack } : {}),
    ...(error.cause && depth < MAX_CAUSES ? { cause: shownError(error.cause, stacks, depth + 1) } : {}),
    ...(error.code === undefined ? {} : { code: error.code }),
    ...(error.fields ? { fields: error.fields } : {}),
    ...(error.errors && depth < MAX_CAUSES ? { errors: error.errors.map((member) => shownError(member, stacks, depth + 1)) } : {}),
  };
}
