import { timingSafeEqual } from "node:crypto";
import { SamovarError } from "@samovar/protocol";
import { hashToken } from "@samovar/kit";
import type { Scope, TokenRecord } from "@samovar/storage";

/** Who calls. */
export interface Principal {
  readonly tokenId: string;
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
}

/** Tokens that are known, and who holds them. */
export interface Authenticator {
  /** The principal of an `authorization` header; undefined when there is none, it isn't a bearer's, or nobody's. */
  authenticate(authorization: string | undefined): Principal | undefined;
  add(token: TokenRecord): void;
  /** From now on nobody's. */
  remove(tokenId: string): void;
}

const MAX_CACHED = 1_000;
const MAX_TOKEN_LENGTH = 512;
const BEARER = /^bearer +([^\s]+) *$/i;

/**
 * Hashes a token once and keeps the header's text → principal, so that a warm call costs one Map lookup. The
 * cache holds only tokens that were found, the oldest gives way, and `add` and `remove` empty it.
 */
export function createAuthenticator(tokens: readonly TokenRecord[]): Authenticator {
  const known = new Map<string, { readonly hash: Buffer; readonly principal: Principal }>();
  const cache = new Map<string, Principal>();

  const add = (token: TokenRecord): void => {
    const hash = Buffer.from(token.hash, "hex");
    if (hash.length !== 32) throw new TypeError(`Token ${token.id} has no SHA-256 hash: ${token.hash.length} characters in place of 64`);
    known.set(token.id, { hash, principal: { tokenId: token.id, name: token.name, scopes: new Set(token.scopes) } });
    cache.clear();
  };
  for (const token of tokens) add(token);

  const find = (token: string): Principal | undefined => {
    const hash = Buffer.from(hashToken(token), "hex");
    let found: Principal | undefined;
    // All are compared, and each in constant time: how long it takes tells nothing about which was near.
    for (const entry of known.values()) if (timingSafeEqual(hash, entry.hash)) found = entry.principal;
    return found;
  };

  return {
    authenticate(authorization) {
      if (authorization === undefined) return undefined;
      const cached = cache.get(authorization);
      if (cached) return cached;
      const token = BEARER.exec(authorization.slice(0, MAX_TOKEN_LENGTH))?.[1];
      if (token === undefined || authorization.length > MAX_TOKEN_LENGTH) return undefined;
      const principal = find(token);
      if (principal) {
        if (cache.size >= MAX_CACHED) cache.delete(cache.keys().next().value!);
        cache.set(authorization, principal);
      }
      return principal;
    },
    add,
    remove(tokenId) {
      known.delete(tokenId);
      cache.clear();
    },
  };
}

/** Whether the principal holds one of these scopes. */
export function hasScope(principal: Principal, ...scopes: readonly Scope[]): boolean {
  return scopes.some((scope) => principal.scopes.has(scope));
}

/** `unauthorized`, saying whether the token is missing or unknown. */
export function unauthorized(authorization: string | undefined): SamovarError {
  return new SamovarError(
    "unauthorized",
    authorization === undefined
      ? "The request has no token: send the header Authorization: Bearer TOKEN"
      : "The request's token is not known here: check the header Authorization: Bearer TOKEN",
  );
}
