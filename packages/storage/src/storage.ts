import type { ContainerInfo } from "@samovar/protocol";

/**
 * What must last. Every method resolves after the change is on disk (one fsync serves all that gathered meanwhile);
 * `record*` methods are written behind and only lost with the machine. Adapters run one conformance suite.
 */
export interface Storage {
  readonly tokens: TokenStore;
  readonly containers: ContainerStore;
  /** All that was asked before is on disk. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export type Scope = "admin" | "deploy" | "invoke";

export interface TokenRecord {
  readonly id: string;
  /** SHA-256 of the token, hex. The token itself is never kept. */
  readonly hash: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly createdAtMs: number;
}

export interface TokenStore {
  insert(token: TokenRecord): Promise<void>;
  list(): Promise<readonly TokenRecord[]>;
  delete(id: string): Promise<boolean>;
}

/** The history of containers: a row is replaced at every change of state, and kept for `retentionMs` after the end. */
export interface ContainerStore {
  record(container: ContainerInfo): void;
  get(id: string): Promise<ContainerInfo | undefined>;
  list(options: { readonly functionId?: string; readonly includeEnded: boolean; readonly limit: number }): Promise<readonly ContainerInfo[]>;
  /** Rows that say a container lives, from a server that died: ended with this reason. */
  endAllLiving(reason: string, atMs: number): Promise<number>;
}
