import type { ContainerId, FunctionManifest, LoadMessage, ScalingPatch } from "@samovar/protocol";
import type { CodeMount } from "@samovar/runtime";
import type { CallRecord } from "@samovar/storage";
import type { Attempt } from "./attempt.ts";
import type { ContainerHost, ContainerPlan } from "./container-types.ts";
import type { Deadline } from "./deadlines.ts";
import type { InputRequest, InputSink } from "./input.ts";
import type { Pool } from "./pool.ts";

/** What a pool is made of: one function in one version with one set of constructor arguments. */
export interface PoolSpec {
  readonly manifest: FunctionManifest;
  readonly code: CodeMount;
  readonly load: Omit<LoadMessage, "mode" | "bundlePath">;
  readonly startPolicy: StartPolicy;
  /** `none`: no floor, whatever the options say. A version that is no longer active is kept so. */
  readonly floor: FloorPolicy;
  /** What was changed since the deploy. */
  readonly scaling: ScalingPatch;
}

/** One of its containers, which will have these GPUs. */
export function toContainerPlan({ manifest, code, load }: PoolSpec, containerId: ContainerId, gpus: readonly string[]): ContainerPlan {
  const { env, cpuMillis, memoryMib, diskMib, workers, network, startupTimeoutMs, drainTimeoutMs } = manifest.options;
  return {
    containerId,
    load: { ...load, mode: "serve", bundlePath: "" },
    code,
    env,
    limits: { cpuMillis, memoryMib, maxProcesses: 1_024, diskMib, workers },
    network,
    gpus,
    startupTimeoutMs,
    drainTimeoutMs,
  };
}

export type FloorPolicy = "kept" | "none";

export interface StartPolicy {
  /** After so many failed starts in a row, inputs are answered at once. */
  readonly failuresUntilFailing: number;
  /** Whether it tries again by itself. `run` and `serve` don't: they end, or wait for an edit. */
  readonly retries: boolean;
  /** Tasks fail as calls do: nobody will mend the start. Else they wait for one that succeeds. */
  readonly failsTasks?: boolean;
}

export interface PoolServices {
  readonly host: ContainerHost;
  readonly newContainerId: () => ContainerId;
  readonly random: () => number;
  /** A call is over, whose caller waited for it; tasks have records of their own. */
  readonly callEnded: (call: CallRecord) => void;
  /** A pool has no container, wants none, and nothing waits in it: it may be given up. */
  readonly poolUnused?: () => void;
}

/** An input and where it stands: waiting (no attempt), running (an attempt), or over (no sink). */
export interface PoolInput {
  /** Whose it is: a pool that closes hands its waiting inputs to its successor. */
  pool: Pool;
  readonly request: InputRequest;
  /** From a source, which keeps its own records. */
  readonly isTask: boolean;
  readonly timeoutMs: number | null;
  readonly arrivedAtMs: number;
  /** Since when it waits for a slot: its arrival, and after a retry that. `queueTimeout` counts from here. */
  waitsSinceMs: number;
  readonly arrivedEpochMs: number;
  sink: InputSink | null;
  /** Of a source: no handler works on it any more. */
  readonly released: (() => void) | null;
  attempt: Attempt | null;
  /** Attempts that count against the retries. */
  attempts: number;
  deadline: Deadline | null;
  /** It waited for as long as it may, while the start that it waits for is at its own limit: the start answers it. */
  overdue: boolean;
  over: boolean;
}
