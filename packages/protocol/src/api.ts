import type { FunctionKind, AppManifest, CodeObject } from "./manifest.ts";
import type { LogLine, PhaseEvent, StopReason } from "./lifecycle.ts";
import type { ScalingPatch } from "./options.ts";

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
 * | POST `/deployments` | `DeployRequest`; the answer is NDJSON of `DeployEvent`, the last `deployed` or `failed`. Hanging up before that gives it up: nothing changes |
 * | GET `/deployments`, `/deployments/{name}` | `{ "deployments": DeploymentInfo[] }`, `DeploymentDetail` |
 * | POST `/deployments/{name}/stop`, `/start` | drains and refuses calls, takes them again; `DeploymentInfo` |
 * | POST `/deployments/{name}/rollback` | `{ "version": 3 }`, or `{}` for the one active before; `DeploymentInfo` |
 * | POST `/apps/{app}/rollback` | `{}`: the app to what it was before its last deploy; `{ "deployments": [] }` |
 * | DELETE `/deployments/{name}` | `?version=2` for one version that is not active; 204 |
 * | GET `/deployments/{name}/openapi.json` | how it is called, OpenAPI 3.1; `?version=2` |
 * | PATCH `/functions/{idOrName}/scaling` | `ScalingRequest` → `FunctionInfo`; the window is `scaledownWindow` (5, "5m", -1 for never) or `scaledownWindowMs` |
 * | POST `/functions/{idOrName}/tasks` | `PutTasksRequest` → `PutTasksResponse`, 202, when all are on disk; as JSON or a value. `?method=`, `?with=[…]` |
 * | GET `/tasks` | `TaskPage`; `?function=`, `?app=`, `?status=ERROR,TIMEOUT`, `?delivery=queued`, `?since=1h`, `?until=`, `?limit=`, `?cursor=` |
 * | GET `/tasks/{id}` | `TaskDetail`; `?wait=30s` answers when it is over, or then. With `accept: text/event-stream` `TaskChange` events until it is over |
 * | GET `/tasks/{id}/result` | the bare result, as a call would have answered; 202 while it isn't over (`?wait=30s`) |
 * | GET `/tasks/events` | `TaskChange` as server-sent events, or NDJSON; `?function=`, `?app=` |
 * | GET `/tasks/{id}/logs` | NDJSON of `LogLine`; `?follow=1` until it is over |
 * | POST `/tasks/{id}/cancel`, `/tasks/{id}/retry` | `{ "task": TaskInfo, "changed": true }` |
 * | POST `/tasks/cancel`, `/tasks/retry` | `TaskSelection`, or the words of the list's query → `{ "changed": 12 }`; of a retry with `unserved`, where some were left out |
 * | GET `/schedules`, `/schedules/{name}` | `{ "schedules": ScheduleInfo[] }`, `ScheduleInfo` |
 * | POST `/schedules/{name}/run`, `/pause`, `/resume` | `{ "taskId" }`, 202; `ScheduleInfo` |
 * | GET `/callbacks` | `{ "callbacks": CallbackInfo[], "cursor" }`, newest first; `?state=failed`, `?app=`, `?limit=`, `?cursor=` |
 * | GET `/callbacks/secret` | `{ "secret": "whsec_…" }`: what callbacks of `?app=` are signed with |
 * | POST `/callbacks/{id}/retry` | `CallbackInfo`: once more, from the beginning |
 * | POST `/callbacks/retry` | `{ "state": "failed", "app"?, "since"? }` → `{ "changed": 12 }` |
 * | POST `/backup` | `{ "to": "/absolute/file" }`, on the server's machine; 204 when it is there |
 * | GET, POST `/tokens`, DELETE `/tokens/{id}` | `{ "tokens": TokenInfo[] }`; `TokenRequest`, or with `expires` ("30d", or seconds) → `CreatedToken`; 204 |
 * | WebSocket `/containers/{id}/exec` | a program in a container: `exec.ts` has the messages |
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
  readonly gpus: readonly GpuDevice[];
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
  /** What a container writes is bounded by `diskMib`. */
  readonly diskLimit: "enforced" | "none";
  /** Root in the container is nobody on the host. */
  readonly userNamespace: boolean;
  readonly exec: boolean;
  /** Containers outlive a server that died, and the next one may go on with them. */
  readonly takeBack: boolean;
}

export interface GpuDevice {
  /** As the driver's tools name it, such as a UUID or index. */
  readonly id: string;
  /** As users ask for it, such as `T4` or `A100-80GB`. */
  readonly name: string;
  readonly memoryMib: number;
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

export interface DeployRequest extends AppRequest {
  /** Deploy only the functions of these names; the others of the manifest are left out. Absent: all. */
  readonly only?: readonly string[];
  /** Stop functions of this app that the module no longer has. */
  readonly prune?: boolean;
  /** Switch without waiting for containers of the new version. */
  readonly noWait?: boolean;
  /** Take names that another app deployed. */
  readonly takeOver?: boolean;
}

export type DeployEvent =
  | { readonly type: "progress"; readonly message: string }
  | { readonly type: "note"; readonly message: string }
  | { readonly type: "log"; readonly line: LogLine }
  | { readonly type: "deployed"; readonly result: DeployResponse }
  /** A problem document; nothing changed. */
  | { readonly type: "failed"; readonly problem: Readonly<Record<string, unknown>> };

export interface DeployResponse extends AppResponse {
  readonly deployId: string;
  /** Functions of this app from earlier deploys that this module has no longer: still there, or stopped by `prune`. */
  readonly left: readonly DeployedFunction[];
  readonly pruned: readonly string[];
}

/** `active`: its active version takes calls. `stopped`: calls are refused until `start`. */
export type DeploymentState = "active" | "stopped";

export interface DeploymentInfo {
  readonly name: string;
  readonly kind: FunctionKind;
  readonly app: string;
  readonly state: DeploymentState;
  readonly activeVersion: number;
  readonly id: string;
  readonly url: string;
  readonly deployedAtMs: number;
  readonly pool: Pick<FunctionInfo, "state" | "reason" | "containers" | "pending" | "running">;
  /** Changes of `scale` since the last deploy. */
  readonly scaling: ScalingPatch;
}

export interface DeploymentDetail extends DeploymentInfo {
  /** Newest first. */
  readonly versions: readonly VersionInfo[];
}

export interface VersionInfo {
  readonly version: number;
  readonly id: string;
  readonly deployId: string;
  readonly active: boolean;
  readonly deployedAtMs: number;
  readonly codeId: string;
  readonly url: string;
  readonly pool: Pick<FunctionInfo, "state" | "reason" | "containers" | "pending" | "running">;
}

export type TokenScope = "admin" | "deploy" | "invoke";

export interface TokenRequest {
  readonly name: string;
  readonly scopes: readonly TokenScope[];
  /** Only what belongs to this app; absent: all. Not with `admin`. */
  readonly app?: string;
  /** Milliseconds until it is worth nothing; absent: never. */
  readonly expiresInMs?: number;
}

export interface TokenInfo {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly TokenScope[];
  readonly app: string | null;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
}

export interface CreatedToken extends TokenInfo {
  /** Shown once: the server keeps its hash. */
  readonly token: string;
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
