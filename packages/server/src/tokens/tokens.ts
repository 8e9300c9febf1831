import { randomBytes } from "node:crypto";
import type { Authenticator } from "@samovar/gateway";
import { hashToken, type Clock } from "@samovar/kit";
import { SamovarError, type CreatedToken, type IdSource, type TokenInfo, type TokenRequest } from "@samovar/protocol";
import type { TokenControl } from "@samovar/scheduler";
import type { TokenRecord, TokenStore } from "@samovar/storage";
import { parseTokenRequest } from "./token-request.ts";

export interface TokensOptions {
  readonly store: TokenStore;
  /** All that are stored. */
  readonly records: readonly TokenRecord[];
  readonly authenticator: Pick<Authenticator, "add" | "remove">;
  readonly ids: IdSource;
  readonly clock: Pick<Clock, "now">;
  /** The token in the home's file, with which this machine's own commands come in. */
  readonly ownToken: string;
  /** Random bytes, for tests. */
  readonly random?: (size: number) => Buffer;
}

const TOKEN_BYTES = 24;

/** A token's text: 192 random bits, so that neither its hash nor a lookup by it can be searched. */
export function createTokenText(random: (size: number) => Buffer = randomBytes): string {
  return `smv_${random(TOKEN_BYTES).toString("base64url")}`;
}

/**
 * The tokens of a server. A token is known to the gateway once it is stored, and unknown to it before it leaves the storage:
 * what fails in between errs on the side of nobody getting in.
 */
export class Tokens implements TokenControl {
  readonly #options: TokensOptions;
  readonly #records = new Map<string, TokenRecord>();
  /** In lower case, of tokens that are being stored. */
  readonly #reserved = new Set<string>();

  constructor(options: TokensOptions) {
    this.#options = options;
    for (const record of options.records) this.#records.set(record.id, record);
  }

  async create(request: TokenRequest): Promise<CreatedToken> {
    const { store, authenticator, ids, clock } = this.#options;
    const nowMs = clock.now();
    const checked = parseTokenRequest(request, nowMs);
    const key = checked.name.toLowerCase();
    if (this.#reserved.has(key) || this.#named(key).length > 0) {
      throw new SamovarError("conflict", `A token is named "${checked.name}" already: choose another name, or revoke that one first`);
    }
    const token = createTokenText(this.#options.random);
    const record: TokenRecord = { id: ids("token"), hash: hashToken(token), createdAtMs: nowMs, ...checked };
    this.#reserved.add(key);
    try {
      await store.insert(record);
      this.#records.set(record.id, record);
      authenticator.add(record);
    } finally {
      this.#reserved.delete(key);
    }
    return { ...toInfo(record), token };
  }

  async list(): Promise<readonly TokenInfo[]> {
    return [...this.#records.values()].map(toInfo);
  }

  async revoke(idOrName: string): Promise<boolean> {
    const record = this.#find(idOrName);
    if (!record) return false;
    if (record.hash === hashToken(this.#options.ownToken)) {
      throw new SamovarError(
        "conflict",
        `The token "${record.name}" (${record.id}) is the one in the server's admin-token file, without which this machine's own commands lose the server: to replace it, stop the server, delete that file and start the server, then revoke this id`,
      );
    }
    this.#options.authenticator.remove(record.id);
    const existed = await this.#options.store.delete(record.id);
    this.#records.delete(record.id);
    return existed;
  }

  #find(idOrName: string): TokenRecord | undefined {
    const byId = this.#records.get(idOrName);
    if (byId) return byId;
    const named = this.#named(idOrName.toLowerCase());
    // The home's own token is made anew under its name when its file is lost.
    if (named.length > 1) {
      throw new SamovarError("conflict", `${named.length} tokens are named "${idOrName}": revoke by id, one of ${named.map(({ id }) => id).join(", ")}`);
    }
    return named[0];
  }

  #named(key: string): TokenRecord[] {
    return [...this.#records.values()].filter(({ name }) => name.toLowerCase() === key);
  }
}

function toInfo({ id, name, scopes, app, createdAtMs, expiresAtMs }: TokenRecord): TokenInfo {
  return { id, name, scopes, app, createdAtMs, expiresAtMs };
}
