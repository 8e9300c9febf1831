import type { CallbackInfo, DeploymentState, FunctionKind } from "@samovar/protocol";
import type { CallbackOutcome, CallbackStore, DueCallback } from "./callback-store.ts";
import type { ScheduleRecord } from "./schedule-store.ts";
import type { TokenRecord } from "./storage.ts";
import type { TaskOperations } from "./task-operations.ts";

/** A container as its table holds it. The main thread translates, so that the storage thread only stores. */
export interface ContainerRow {
  readonly id: string;
  readonly functionId: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  /** The ContainerInfo without its parameters, as JSON. */
  readonly info: string;
  /** The parameters as an encoded value. */
  readonly parameters: Uint8Array;
  /** JSON; absent: those of its row stay. */
  readonly facts?: string | null;
}

export type StoredContainer = Pick<ContainerRow, "info" | "parameters">;

export interface StoredLivingContainer extends StoredContainer {
  /** JSON. */
  readonly facts: string | null;
}

/** A version as its table holds it. */
export interface VersionRow {
  readonly name: string;
  readonly version: number;
  readonly kind: FunctionKind;
  readonly functionId: string;
  readonly deployId: string;
  readonly deployedAtMs: number;
  /** The rest of the VersionRecord as JSON. */
  readonly details: string;
}

export interface DeploymentRow {
  readonly name: string;
  readonly app: string;
  readonly kind: FunctionKind;
  readonly state: DeploymentState;
  readonly activeVersion: number;
  /** JSON. */
  readonly scaling: string;
}

export type CallbackFilter = Parameters<CallbackStore["list"]>[0];

/** What the storage thread does: each has its result beside it. */
export interface Operations extends TaskOperations {
  "tokens.insert": { readonly asked: { readonly token: TokenRecord }; readonly answered: undefined };
  "tokens.list": { readonly asked: object; readonly answered: readonly TokenRecord[] };
  "tokens.delete": { readonly asked: { readonly id: string }; readonly answered: boolean };
  "containers.record": { readonly asked: { readonly rows: readonly ContainerRow[]; readonly nowMs: number }; readonly answered: undefined };
  "containers.get": { readonly asked: { readonly id: string }; readonly answered: StoredContainer | undefined };
  "containers.list": {
    readonly asked: { readonly functionId: string | null; readonly includeEnded: boolean; readonly limit: number };
    readonly answered: readonly StoredContainer[];
  };
  "containers.living": { readonly asked: object; readonly answered: readonly StoredLivingContainer[] };
  "containers.endAllLiving": {
    readonly asked: { readonly reason: string; readonly atMs: number; readonly except: readonly string[] };
    readonly answered: number;
  };
  "deployments.load": {
    readonly asked: object;
    readonly answered: { readonly deployments: readonly DeploymentRow[]; readonly versions: readonly VersionRow[] };
  };
  "deployments.begin": { readonly asked: { readonly names: readonly string[] }; readonly answered: readonly number[] };
  "deployments.activate": {
    readonly asked: { readonly app: string; readonly versions: readonly VersionRow[]; readonly pruned: readonly string[] };
    readonly answered: undefined;
  };
  "deployments.setActive": {
    readonly asked: { readonly changes: readonly { readonly name: string; readonly version: number }[] };
    readonly answered: undefined;
  };
  "deployments.setState": { readonly asked: { readonly name: string; readonly state: DeploymentState }; readonly answered: undefined };
  /** `scaling` is JSON. */
  "deployments.setScaling": { readonly asked: { readonly name: string; readonly scaling: string }; readonly answered: undefined };
  "deployments.removeVersion": { readonly asked: { readonly name: string; readonly version: number }; readonly answered: boolean };
  "deployments.remove": { readonly asked: { readonly name: string }; readonly answered: boolean };
  "callbacks.due": {
    readonly asked: { readonly nowMs: number; readonly limit: number; readonly except: readonly string[] };
    readonly answered: { readonly callbacks: readonly DueCallback[]; readonly nextDueAtMs: number | null };
  };
  "callbacks.settle": { readonly asked: { readonly id: string; readonly attempt: number; readonly outcome: CallbackOutcome }; readonly answered: boolean };
  "callbacks.list": { readonly asked: { readonly filter: CallbackFilter }; readonly answered: readonly CallbackInfo[] };
  "callbacks.get": { readonly asked: { readonly id: string }; readonly answered: CallbackInfo | undefined };
  "callbacks.revive": { readonly asked: { readonly id: string; readonly nowMs: number }; readonly answered: CallbackInfo | undefined };
  "schedules.load": { readonly asked: object; readonly answered: readonly ScheduleRecord[] };
  "schedules.ticked": { readonly asked: { readonly name: string; readonly tickAtMs: number; readonly taskId: string | null }; readonly answered: undefined };
  "schedules.setPaused": { readonly asked: { readonly name: string; readonly pausedAtMs: number | null }; readonly answered: undefined };
  "schedules.countFrom": { readonly asked: { readonly name: string; readonly atMs: number }; readonly answered: undefined };
  "schedules.remove": { readonly asked: { readonly name: string }; readonly answered: undefined };
  /** Does nothing: its answer says that all before it is on disk. */
  flush: { readonly asked: object; readonly answered: undefined };
  close: { readonly asked: object; readonly answered: undefined };
}

export type OperationKind = keyof Operations;
export type Operation = { [K in OperationKind]: { readonly kind: K } & Operations[K]["asked"] }[OperationKind];
export type Answered<K extends OperationKind> = Operations[K]["answered"];

/** An operation, with the bytes that belong to it: they travel apart from it. */
export interface Request {
  readonly operation: Operation;
  readonly blobs: readonly Uint8Array[];
}

/** Main thread → storage thread: what was asked in one turn. */
export interface RequestMessage {
  /** Of each operation about tasks the operation, as JSON; null in the place of each other one. */
  readonly plain: string;
  readonly others: readonly Operation[];
  /** Of each operation, how long its bytes are. */
  readonly sizes: readonly (readonly number[])[];
  /** All of them, in order: one piece of memory is handed over, where many would be copied one by one. */
  readonly bytes: Uint8Array;
}

export interface Failure {
  readonly code: "conflict" | "not_found" | "storage_failed";
  readonly message: string;
}

export type Outcome = { readonly ok: true; readonly value: Answered<OperationKind> } | { readonly ok: false; readonly failure: Failure };

/** Storage thread → main thread. */
export type Report =
  | { readonly type: "opened"; readonly schemaBefore: number; readonly schemaNow: number; readonly largeFolder: string }
  | { readonly type: "embedded"; readonly lost: readonly string[] }
  | { readonly type: "refused"; readonly failure: Failure }
  /**
   * The answers of one batch, after its commit, in the order in which they were asked; those that failed are undefined
   * there, and in `failures` with their place. `commits` counts those that wrote, since the start.
   */
  | {
      readonly type: "answers";
      readonly commits: number;
      readonly values: readonly Answered<OperationKind>[];
      readonly failures: readonly (readonly [number, Failure])[];
    };

/** Of a thread that makes a copy whole; it ends after that. */
export interface EmbedSettings {
  readonly copy: string;
  readonly original: string;
}

/** What the storage thread is started with. */
export interface SqliteSettings {
  readonly file: string;
  readonly retentionMs: number;
  readonly maxEndedContainers: number;
  /** How long another process that holds the file (a backup, a curious operator) is waited for. */
  readonly busyTimeoutMs: number;
}
