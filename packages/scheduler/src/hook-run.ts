import { BUILD_TIMEOUT_MS, SamovarError, type ContainerId, type DoneMessage, type FunctionManifest, type LoadMessage } from "@samovar/protocol";
import type { CodeMount } from "@samovar/runtime";
import { Container } from "./container.ts";
import type { ContainerHost, ContainerOwner, StartFailure } from "./container-types.ts";
import { waitForRoom } from "./room-wait.ts";

export interface HookRunSpec {
  readonly containerId: ContainerId;
  readonly mode: "build" | "deploy";
  readonly manifest: FunctionManifest;
  readonly code: CodeMount;
  readonly load: Omit<LoadMessage, "mode" | "bundlePath">;
  readonly signal?: AbortSignal;
  /** The host has no room for it yet, for this reason. */
  readonly onWait?: (reason: string) => void;
  /** Called with the container's code folder when the hooks are done, before it is removed: what a build wrote is taken from there. */
  readonly keep?: (codeDir: string) => Promise<void>;
}

/**
 * Runs a version's build or deploy hooks in a container of their own, to its end, once the host has room for it. Resolves
 * with what they returned; rejects with `build_failed` or `deploy_failed`, which names the hook and carries its last lines,
 * or with `no_capacity` where there was no room within `startupTimeout`.
 */
export async function runHooks(host: ContainerHost, spec: HookRunSpec): Promise<unknown> {
  const { mode, manifest, load } = spec;
  const run = new HookRun(spec.keep);
  const options = manifest.options;
  const room = await waitForRoom(host, manifest, load.functionName, spec);
  const container = new Container(host, run, {
    containerId: spec.containerId,
    load: { ...load, mode, workers: 1, bundlePath: "" },
    code: spec.code,
    env: options.env,
    limits: { cpuMillis: options.cpuMillis, memoryMib: options.memoryMib, maxProcesses: 1_024, diskMib: options.diskMib, workers: 1 },
    network: options.network,
    // Hooks get no GPUs: those are for what serves.
    gpus: [],
    startupTimeoutMs: BUILD_TIMEOUT_MS,
    drainTimeoutMs: 0,
  });
  const abort = (): void => container.stop("interrupt");
  spec.signal?.addEventListener("abort", abort, { once: true });
  room.isLeaving = () => container.state === "stopping";
  container.start();
  try {
    const done = await run.done.promise;
    return done.value;
  } catch (error) {
    const failure = run.failure;
    const code = mode === "build" ? "build_failed" : "deploy_failed";
    const what = failure?.hook ? `${mode === "build" ? "onBuild" : "onDeploy"} hook ${failure.hook}` : mode === "build" ? "onBuild" : "onDeploy";
    if (!failure && spec.signal?.aborted) throw new SamovarError(code, `${what} of ${load.functionName} was stopped before it was done`, { cause: error });
    if (!failure) throw error;
    throw new SamovarError(code, `${what} of ${load.functionName} failed (phase ${failure.phase}): ${failure.error.message}`, {
      cause: failure.error,
      fields: { phase: failure.phase, hook: failure.hook, lastLines: failure.lastLines },
    });
  } finally {
    spec.signal?.removeEventListener("abort", abort);
    container.stop("done");
    await run.over.promise;
    room.release();
  }
}

class HookRun implements ContainerOwner {
  readonly done = Promise.withResolvers<DoneMessage>();
  readonly over = Promise.withResolvers<void>();
  failure: StartFailure | null = null;
  readonly #keep: HookRunSpec["keep"];

  constructor(keep: HookRunSpec["keep"]) {
    this.#keep = keep;
  }

  workerReady(): void {}
  becameReady(): void {}
  resumed(): readonly number[] {
    return [];
  }
  retired(): void {}

  async hooksDone(container: Container, message: DoneMessage): Promise<void> {
    try {
      if (container.tree.codeDir) await this.#keep?.(container.tree.codeDir);
      this.done.resolve(message);
    } catch (error) {
      this.done.reject(error);
    }
  }

  ended(_container: Container, failure: StartFailure | null): void {
    this.failure = failure;
    this.done.reject(failure?.error ?? new Error("The container ended"));
    this.over.resolve();
  }
}
