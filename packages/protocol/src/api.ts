import type { FunctionKind, AppManifest, CodeObject } from "./manifest.ts";
import type { LogLine, PhaseEvent, StopReason } from "./lifecycle.ts";

/**
 * The bodies of the control API, `/api/v1`. The gateway's schemas are held against these types, the CLI and
 * others read them. Paths:
 *
 * | route | does |
 * |---|---|
 * | GET `/server` | `ServerInfo` |
 * | POST `/shutdown` | graceful stop; `{ "reason": "stop" }`, 202 |
 * | POST `/blobs/missing` | which of these contents the server lacks: `{ "sha256": [] }` → the same shape |
 * | PUT `/blobs/{sha256}` | one content; refused unless it hashes to its name |
 * | POST `/sessions` | `SessionRequest`; the answer is NDJSON of `SessionEvent`, first `opened`; hanging up ends the session |
 * | PUT `/sessions/{id}/app` | `AppRequest` → `AppResponse`: builds, runs onDeploy, switches; errors are problems |
 * | DELETE `/sessions/{id}` | `?drain=10s`, `?reason=interrupt` (a `StopReason`); 204 when its containers are gone, then its event stream ends |
 * | GET `/functions` | `FunctionInfo[]` as `{ "functions": [] }` |
 * | GET `/containers`, `/containers/{id}` | `{ "containers": ContainerInfo[] }`, `ContainerInfo`; `?all=1` includes ended ones |
 * | POST `/containers/{id}/stop` | drain, then stop; `?force=1` kills. 202 |
 * | GET `/containers/{id}/logs`, `/logs` | NDJSON of `LogLine`; `?follow=1`, `?tail=100`, `?name=` |
 * | GET `/openapi.json` | this, described |
 */
export interface ServerInfo {
  readonly version: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly home: string;
  readonly url: string;
  /** Started by `run` or `serve`, ends with its last session. */
  readonly embedded: boolean;
  readonly driver: DriverInfo;
}

export interface DriverInfo {
  readonly name: string;
  /** What this driver can do, as data: features ask for one of these, never for a driver's name. */
  readonly capabilities: DriverCapabilities;
  /** What is not isolated or not limited here, and how to get it: sentences for `samovar status`. */
  readonly missing: readonly string[];
}

export interface DriverCapabilities {
  /** `none`: same user, same files. */
  readonly isolation: "none" | "namespaces" | "sandbox";
  readonly ownRoot: boolean;
  /** `enforced`: the kernel holds it. `watched`: measured and killed. */
  readonly memoryLimit: "enforced" | "watched" | "none";
  readonly cpuLimit: "enforced" | "none";
  /** How many processes and threads a container may have. */
  readonly processLimit: "enforced" | "none";
  /** A whole process tree ends, also what left its process group. */
  readonly killTree: boolean;
  readonly networkModes: readonly ("host" | "isolated" | "none")[];
  readonly checkpoint: boolean;
  readonly gpu: boolean;
}

export interface SessionRequest {
  readonly kind: "run" | "serve";
  /** Who opened it, for `samovar ps`: the file. */
  readonly label: string;
}

export type SessionEvent =
  | { readonly type: "opened"; readonly sessionId: string }
  | { readonly type: "log"; readonly line: LogLine }
  | { readonly type: "container"; readonly container: ContainerInfo }
  | { readonly type: "progress"; readonly message: string }
  /** Worth a line of its own, such as "onBuild cached from …". */
  | { readonly type: "note"; readonly message: string }
  /** An input arrived or a follower is there: what `serve` counts as activity. */
  | { readonly type: "activity"; readonly atMs: number }
  | { readonly type: "closing"; readonly reason: StopReason };

export interface AppRequest {
  readonly manifest: AppManifest;
  readonly code: CodeObject;
  /** Run onBuild even where it is cached. */
  readonly forceBuild?: boolean;
  /** Hash over the onDeploy hooks and what they depend on: `serve` runs them again only when it changed. */
  readonly deployKey?: string;
}

export interface AppResponse {
  readonly app: string;
  readonly functions: readonly DeployedFunction[];
}

export interface DeployedFunction {
  readonly name: string;
  readonly kind: FunctionKind;
  readonly version: number;
  readonly id: string;
  readonly url: string;
}

export type PoolState = "idle" | "starting" | "ready" | "failing" | "stopped";

export interface FunctionInfo {
  readonly id: string;
  readonly name: string;
  readonly kind: FunctionKind;
  readonly app: string;
  readonly version: number;
  /** `run` and `serve` sessions: their label. */
  readonly session: string | null;
  readonly state: PoolState;
  /** Why it is not serving, or what its inputs wait for; null when all is well. */
  readonly reason: string | null;
  readonly containers: { readonly starting: number; readonly ready: number; readonly draining: number };
  readonly pending: number;
  readonly running: number;
}

export interface ContainerInfo {
  readonly id: string;
  readonly function: string;
  readonly functionId: string;
  readonly app: string;
  readonly version: number;
  readonly driver: string;
  readonly state: string;
  /** Why it stops, failed or ended. */
  readonly reason: string | null;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly pid: number | null;
  readonly workers: number;
  readonly inputs: { readonly running: number; readonly done: number; readonly failed: number };
  readonly parameters: readonly unknown[];
  /** The waterfall: phases in the order in which they began. */
  readonly phases: readonly PhaseEvent[];
}
