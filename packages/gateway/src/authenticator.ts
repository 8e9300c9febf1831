import type { IncomingHttpHeaders } from "node:http";
import { SamovarError } from "@samovar/protocol";
import { hashToken, systemClock, type Clock } from "@samovar/kit";
import type { Scope, TokenRecord } from "@samovar/storage";

/** Who calls. */
export interface Principal {
  /** `container`: a container's own token, which ends with it. */
  readonly kind: "token" | "container";
  /** The token's id, or the container's. */
  readonly tokenId: string;
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Only what belongs to this app; null: all. */
  readonly app: string | null;
}

/** Tokens that are known, and who holds them. */
export interface Authenticator {
  /** The principal of an `authorization` header; undefined when there is none, it isn't a bearer's, or nobody's. */
  authenticate(authorization: string | undefined): Principal | undefined;
  /**
   * The principal of a WebSocket's upgrade: browsers can't set headers there, so the token may also come as the subprotocol
   * `samovar.bearer.TOKEN`, which is never the one to answer with. `authorization` counts alone where it is sent.
   */
  authenticateUpgrade(headers: Pick<IncomingHttpHeaders, "authorization" | "sec-websocket-protocol">): Principal | undefined;
  add(token: TokenRecord): void;
  /** From now on nobody's. */
  remove(tokenId: string): void;
  /** A container's own token calls functions of its app, and of no other. `tokenHash` is a SHA-256, hex. */
  addContainer(containerId: string, tokenHash: string, app: string): void;
  removeContainer(containerId: string): void;
}

interface Known {
  readonly principal: Principal;
  readonly hash: string;
  readonly expiresAtMs: number;
  /** False once it was removed: what the cache still holds of it is worth nothing. */
  valid: boolean;
}

const MAX_CACHED = 1_000;
const MAX_TOKEN_LENGTH = 512;
const BEARER = /^bearer +([^\s]+) *$/i;
const SUBPROTOCOL = "samovar.bearer.";
const SHA256 = /^[0-9a-f]{64}$/;
const CONTAINER_SCOPES: ReadonlySet<Scope> = new Set<Scope>(["invoke"]);

/**
 * Hashes a token once and keeps the header's text → its record, so that a warm call costs one Map lookup. The cache holds
 * only tokens that were found, and the oldest gives way; whether one is still worth something is asked every time.
 *
 * Tokens are found by their hash in a Map, whose timing tells at most how a guess's hash compares with those kept. Nobody can
 * choose a token by its hash, and tokens are 24 random bytes, so that tells nothing about any of them.
 */
export function createAuthenticator(tokens: readonly TokenRecord[], clock: Pick<Clock, "now"> = systemClock): Authenticator {
  const byHash = new Map<string, Known>();
  const byTokenId = new Map<string, Known>();
  const byContainerId = new Map<string, Known>();
  const cache = new Map<string, Known>();

  const keep = (ids: Map<string, Known>, principal: Principal, hash: string, expiresAtMs: number | null): void => {
    if (!SHA256.test(hash)) throw new TypeError(`Token ${principal.tokenId} has no SHA-256 hash: ${hash.length} characters in place of 64`);
    drop(ids, principal.tokenId);
    const known: Known = { principal, hash, expiresAtMs: expiresAtMs ?? Infinity, valid: true };
    ids.set(principal.tokenId, known);
    byHash.set(hash, known);
  };
  const drop = (ids: Map<string, Known>, id: string): void => {
    const known = ids.get(id);
    if (!known) return;
    known.valid = false;
    ids.delete(id);
    if (byHash.get(known.hash) === known) byHash.delete(known.hash);
  };
  const isWorth = (known: Known): boolean => known.valid && (known.expiresAtMs === Infinity || clock.now() < known.expiresAtMs);

  const find = (token: string): Known | undefined => {
    const known = byHash.get(hashToken(token));
    return known && isWorth(known) ? known : undefined;
  };

  const authenticate = (authorization: string | undefined): Principal | undefined => {
    if (authorization === undefined) return undefined;
    const cached = cache.get(authorization);
    if (cached) {
      if (isWorth(cached)) return cached.principal;
      cache.delete(authorization);
    }
    if (authorization.length > MAX_TOKEN_LENGTH) return undefined;
    const token = BEARER.exec(authorization)?.[1];
    const known = token === undefined ? undefined : find(token);
    if (!known) return undefined;
    if (cache.size >= MAX_CACHED) cache.delete(cache.keys().next().value!);
    cache.set(authorization, known);
    return known.principal;
  };

  const authenticator: Authenticator = {
    authenticate,
    authenticateUpgrade(headers) {
      if (headers.authorization !== undefined) return authenticate(headers.authorization);
      const offered = headers["sec-websocket-protocol"]?.split(",", 20).map((each) => each.trim());
      const token = offered?.find((each) => each.startsWith(SUBPROTOCOL))?.slice(SUBPROTOCOL.length);
      return token === undefined || token.length > MAX_TOKEN_LENGTH ? undefined : find(token)?.principal;
    },
    add: ({ id, name, scopes, app, hash, expiresAtMs }) =>
      keep(byTokenId, { kind: "token", tokenId: id, name, scopes: new Set(scopes), app }, hash, expiresAtMs),
    remove: (tokenId) => drop(byTokenId, tokenId),
    addContainer: (containerId, tokenHash, app) =>
      keep(byContainerId, { kind: "container", tokenId: containerId, name: `container ${containerId}`, scopes: CONTAINER_SCOPES, app }, tokenHash, null),
    removeContainer: (containerId) => drop(byContainerId, containerId),
  };
  for (const token of tokens) authenticator.add(token);
  return authenticator;
}

/** Whether the principal holds one of these scopes. */
export function hasScope(principal: Principal, ...scopes: readonly Scope[]): boolean {
  for (const scope of scopes) if (principal.scopes.has(scope)) return true;
  return false;
}

/** Whether what belongs to this app is the principal's to see and touch. */
export function mayTouch(principal: Principal, app: string): boolean {
  return principal.app === null || principal.app === app;
}

/** Throws `forbidden`, with both apps named, where something belongs to another app than the token is for. `what` begins the sentence. */
export function assertApp(principal: Principal, app: string, what: string): void {
  if (mayTouch(principal, app)) return;
  throw new SamovarError("forbidden", `${what} belongs to the app "${app}", and the token "${principal.name}" is for the app "${principal.app}" only`);
}

/** `unauthorized`, saying whether the token is missing or unknown. */
export function unauthorized(authorization: string | undefined): SamovarError {
  return new SamovarError(
    "unauthorized",
    authorization === undefined
      ? "The request has no token: send the header Authorization: Bearer TOKEN"
      : "The request's token is not known here, or no longer: check the header Authorization: Bearer TOKEN",
  );
}
