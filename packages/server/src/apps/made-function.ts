import type { FunctionId, FunctionManifest } from "@samovar/protocol";
import type { CodeMount } from "@samovar/runtime";
import type { FunctionSpec, StartPolicy } from "@samovar/scheduler";

/** One function in one version whose code lies in its place and whose build and deploy hooks have run. */
export interface MadeFunction {
  readonly manifest: FunctionManifest;
  readonly functionId: FunctionId;
  /** The public name. */
  readonly name: string;
  readonly app: string;
  readonly version: number;
  readonly code: CodeMount;
  /** Code on top of what onBuild left, by the constructor arguments it was built with. */
  readonly builtCode: ReadonlyMap<string, CodeMount>;
  /** What it calls inside its app, by the names in the module. */
  readonly functionIds: Readonly<Record<string, string>>;
  readonly onDeployValue: unknown;
}

/** How a function is served: by a session, or as a deployment. */
export interface ServingMode {
  /** Label of the session; null for a deployment. */
  readonly session: string | null;
  /** Of its task queues: see `FunctionSpec`. */
  readonly queuePrefix: string;
  /** Callers see stacks. */
  readonly development: boolean;
  readonly startPolicy: StartPolicy;
  readonly keepsFloor: boolean;
}

/** What is loaded into workers, hooks' containers included. */
export function toLoad(made: Omit<MadeFunction, "code" | "builtCode">, development: boolean, compileCacheDir: string): FunctionSpec["load"] {
  const { manifest, functionId, name, version, app, functionIds, onDeployValue } = made;
  const { workers, concurrencyMax, timeoutMs, stopGracePeriodMs } = manifest.options;
  return {
    app,
    functionId,
    functionName: name,
    functionKind: manifest.kind,
    deployment: name,
    version,
    exportName: manifest.exportName,
    compileCacheDir,
    onDeployValue,
    workers,
    concurrencyMax,
    timeoutMs,
    stopGracePeriodMs,
    callbackUrl: manifest.options.callbackUrl,
    functionIds,
    development,
  };
}
