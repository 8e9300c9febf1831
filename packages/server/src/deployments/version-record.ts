import { DEFAULT_OPTIONS, type FunctionId } from "@samovar/protocol";
import type { CodeMount } from "@samovar/runtime";
import type { StoredCode, VersionRecord } from "@samovar/storage";
import type { MadeFunction, ServingMode } from "../apps/made-function.ts";
import type { CodeHold } from "../code/code-store.ts";

/** Deployed functions heal by themselves, and tell strangers no stacks. Their floor begins when they are activated. */
export const DEPLOYED: ServingMode = {
  session: null,
  queuePrefix: "",
  development: false,
  startPolicy: { failuresUntilFailing: 3, retries: true },
  keepsFloor: false,
};

/** A version as it is kept: all that a later server needs to serve it. */
export function toVersionRecord(made: MadeFunction, deployId: string, deployedAtMs: number): VersionRecord {
  const { name, version, functionId, manifest, functionIds, onDeployValue } = made;
  return {
    name,
    version,
    functionId,
    deployId,
    deployedAtMs,
    app: made.app,
    manifest,
    functionIds,
    code: toStoredCode(made.code),
    builtCode: Object.fromEntries([...made.builtCode].map(([parameters, code]) => [parameters, toStoredCode(code)])),
    onDeployValue,
  };
}

/** The same version from its record, its code held from now on. */
export function revive(record: VersionRecord, hold: CodeHold): MadeFunction {
  const { name, version, functionIds, onDeployValue, app } = record;
  // What was deployed by an older version of Samovar lacks what came since.
  const manifest = { ...record.manifest, schedule: record.manifest.schedule ?? null, options: { ...DEFAULT_OPTIONS, ...record.manifest.options } };
  const toMount = (code: StoredCode): CodeMount => ({ ...code, sourceDir: hold.keep(code.codeId) });
  return {
    name,
    version,
    app,
    functionId: record.functionId as FunctionId,
    manifest,
    functionIds,
    onDeployValue,
    code: toMount(record.code),
    builtCode: new Map(Object.entries(record.builtCode).map(([parameters, code]) => [parameters, toMount(code)])),
  };
}

const toStoredCode = ({ codeId, entry, nodeModules }: CodeMount): StoredCode => ({ codeId, entry, nodeModules });
