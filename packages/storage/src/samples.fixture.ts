import { DEFAULT_OPTIONS, type ContainerInfo } from "@samovar/protocol";
import type { TokenRecord, VersionRecord } from "./storage.ts";

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

export function versionSample(name: string, version: number, changes: Partial<VersionRecord> = {}): VersionRecord {
  const functionId = `fn_${name.toLowerCase()}_${version}`;
  return {
    name,
    version,
    functionId,
    deployId: `dp_${version}`,
    deployedAtMs: NOW_MS,
    app: "text",
    manifest: {
      name,
      kind: "function",
      exportName: name,
      options: DEFAULT_OPTIONS,
      hooks: { onBuild: [], onDeploy: [{ name: "migrate", cacheKey: "k" }], onStart: [], onStop: [] },
      handler: { streaming: false, batch: null, inputSchema: { type: "object", title: "ünï'côde\n" }, outputSchema: null },
      schedule: null,
      methods: {},
      requiresParameters: false,
      builds: [[]],
    },
    functionIds: { [name]: functionId },
    code: { codeId: "c0de", entry: "app.mjs", nodeModules: ["/srv/app/node_modules"] },
    builtCode: { "[]": { codeId: "b17d", entry: "app.mjs", nodeModules: [] } },
    onDeployValue: { rows: [1, null, "x"] },
    ...changes,
  };
}
