import type { ScalingPatch } from "@samovar/protocol";
import type { DeploymentRow, VersionRow } from "./operations.ts";
import type { DeploymentRecord, DeploymentStore, VersionRecord } from "./storage.ts";
import type { StorageThread } from "./storage-thread.ts";

/** Deployments as callers see them. JSON is made and read here, so that the storage thread only stores. */
export function createDeploymentStore(call: StorageThread["call"]): DeploymentStore {
  return {
    async load() {
      const { deployments, versions } = await call<"deployments.load">({ kind: "deployments.load" });
      return { deployments: deployments.map(toDeploymentRecord), versions: versions.map(toVersionRecord) };
    },
    begin: (names) => call<"deployments.begin">({ kind: "deployments.begin", names }),
    activate: async (app, versions, pruned) =>
      call<"deployments.activate">({ kind: "deployments.activate", app, versions: versions.map(toVersionRow), pruned: [...pruned] }),
    setActive: (changes) => call<"deployments.setActive">({ kind: "deployments.setActive", changes }),
    setState: (name, state) => call<"deployments.setState">({ kind: "deployments.setState", name, state }),
    setScaling: (name, scaling) => call<"deployments.setScaling">({ kind: "deployments.setScaling", name, scaling: JSON.stringify(scaling) }),
    removeVersion: (name, version) => call<"deployments.removeVersion">({ kind: "deployments.removeVersion", name, version }),
    remove: (name) => call<"deployments.remove">({ kind: "deployments.remove", name }),
  };
}

type Details = Pick<VersionRecord, "app" | "manifest" | "functionIds" | "code" | "builtCode" | "onDeployValue">;

function toVersionRow(record: VersionRecord): VersionRow {
  const { name, version, functionId, deployId, deployedAtMs, app, manifest, functionIds, code, builtCode, onDeployValue } = record;
  const details: Details = { app, manifest, functionIds, code, builtCode, onDeployValue };
  return { name, version, kind: manifest.kind, functionId, deployId, deployedAtMs, details: JSON.stringify(details) };
}

function toVersionRecord({ details, kind: _, ...row }: VersionRow): VersionRecord {
  return { ...row, ...(JSON.parse(details) as Details) };
}

function toDeploymentRecord({ scaling, ...row }: DeploymentRow): DeploymentRecord {
  return { ...row, scaling: JSON.parse(scaling) as ScalingPatch };
}
