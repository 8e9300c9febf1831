import { SamovarError, describeNameProblem, type TokenRequest, type TokenScope } from "@samovar/protocol";

const SCOPES: readonly TokenScope[] = ["admin", "deploy", "invoke"];
/** Ids begin so: a name that does could be taken for another token's id. */
const ID_PREFIX = "to_";
const MAX_EXPIRES_IN_MS = 100 * 365 * 24 * 60 * 60 * 1_000;

export interface CheckedTokenRequest {
  readonly name: string;
  /** Each once, in one order. */
  readonly scopes: readonly TokenScope[];
  readonly app: string | null;
  readonly expiresAtMs: number | null;
}

/** What a token would be, or `invalid_request` with the first mistake. */
export function parseTokenRequest(request: TokenRequest, nowMs: number): CheckedTokenRequest {
  const { name, scopes, app = null, expiresInMs = null } = request;
  const nameProblem = describeNameProblem(name);
  if (nameProblem !== undefined) throw invalid(`A token can't have this name: ${nameProblem}`);
  if (name.toLowerCase().startsWith(ID_PREFIX)) throw invalid(`A token can't be named "${name}": ids begin with ${ID_PREFIX}, choose another name`);
  const unknown = scopes.find((scope) => !SCOPES.includes(scope));
  if (unknown !== undefined) throw invalid(`"${unknown}" is not a scope: use ${SCOPES.join(", ")}`);
  if (scopes.length === 0) throw invalid(`A token without a scope may do nothing: give it ${SCOPES.join(", ")}`);
  if (app !== null) {
    const appProblem = describeNameProblem(app);
    if (appProblem !== undefined) throw invalid(`No app can have this name: ${appProblem}`);
    if (scopes.includes("admin")) throw invalid(`A token with the scope admin may do everything: leave out app "${app}", or give it the scopes deploy, invoke`);
  }
  if (expiresInMs !== null && !(Number.isSafeInteger(expiresInMs) && expiresInMs > 0 && expiresInMs <= MAX_EXPIRES_IN_MS))
    throw invalid(`expiresInMs is ${expiresInMs}: use whole milliseconds, at least 1 and at most 100 years`);
  return { name, scopes: SCOPES.filter((scope) => scopes.includes(scope)), app, expiresAtMs: expiresInMs === null ? null : nowMs + expiresInMs };
}

function invalid(message: string): SamovarError {
  return new SamovarError("invalid_request", message);
}
