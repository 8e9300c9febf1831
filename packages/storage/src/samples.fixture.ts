import type { ContainerInfo } from "@samovar/protocol";
import type { TokenRecord } from "./storage.ts";

export const NOW_MS = 1_800_000_000_000;

export function tokenSample(id: string, changes: Partial<TokenRecord> = {}): TokenRecord {
  return { id, hash: `hash-of-${id}`, name: "admin", scopes: ["admin"], app: null, expiresAtMs: null, createdAtMs: 1, ...changes };
}

export function containerSample(id: string, changes: Partial<ContainerInfo> = {}): ContainerInfo {
  return {
    id,
    function: "predict",
    functionId: "fn_1",
    app: "text",
    version: 1,
    driver: "process",
    state: "ready",
    reason: null,
    startedAtMs: NOW_MS,
    endedAtMs: null,
    pid: 42,
    workers: 1,
    inputs: { running: 0, done: 1, failed: 0 },
    parameters: [],
    phases: [],
    ...changes,
  };
}
