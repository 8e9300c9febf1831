import {
  KIND_SEGMENTS,
  type DeploymentDetail,
  type DeploymentInfo,
  type DeploymentState,
  type FunctionInfo,
  type ScalingPatch,
  type VersionInfo,
} from "@samovar/protocol";
import type { FunctionRuntime } from "@samovar/scheduler";
import type { VersionRecord } from "@samovar/storage";
import type { DeploymentSnapshot } from "./decisions.ts";

/** A version that can be called. */
export interface LiveVersion {
  readonly record: VersionRecord;
  readonly runtime: FunctionRuntime;
  /** Lets go of its code, when its containers are gone. */
  release(): void;
}

/**
 * One name, its versions and which of them takes its calls. Owned by `Deployments`, which keeps storage and routes in step.
 *
 * States: active ⇄ stopped. Of its versions one is active (the pools keep its floor), the others are spare: they start
 * containers when somebody calls them as `@n`.
 */
export class Deployment {
  readonly name: string;
  readonly versions = new Map<number, LiveVersion>();
  app: string;
  state: DeploymentState;
  activeVersion: number;
  scaling: ScalingPatch;

  constructor(name: string, at: { readonly app: string; readonly state: DeploymentState; readonly activeVersion: number; readonly scaling: ScalingPatch }) {
    this.name = name;
    this.app = at.app;
    this.state = at.state;
    this.activeVersion = at.activeVersion;
    this.scaling = at.scaling;
  }

  get active(): LiveVersion {
    return this.versions.get(this.activeVersion)!;
  }

  get runtimes(): ReadonlyMap<number, FunctionRuntime> {
    return new Map([...this.versions].map(([version, { runtime }]) => [version, runtime]));
  }

  snapshot(): DeploymentSnapshot {
    return { name: this.name, app: this.app, activeVersion: this.activeVersion, versions: [...this.versions.values()].map(({ record }) => record) };
  }

  info(serverUrl: string): DeploymentInfo {
    const { record, runtime } = this.active;
    return {
      name: this.name,
      kind: runtime.manifest.kind,
      app: this.app,
      state: this.state,
      activeVersion: this.activeVersion,
      id: runtime.functionId,
      url: urlOf(serverUrl, runtime),
      deployedAtMs: record.deployedAtMs,
      pool: toPool(runtime.info()),
      scaling: this.scaling,
    };
  }

  detail(serverUrl: string): DeploymentDetail {
    const versions = [...this.versions.values()].toSorted((a, b) => b.record.version - a.record.version);
    return { ...this.info(serverUrl), versions: versions.map((version) => this.#versionInfo(version, serverUrl)) };
  }

  #versionInfo({ record, runtime }: LiveVersion, serverUrl: string): VersionInfo {
    return {
      version: record.version,
      id: record.functionId,
      deployId: record.deployId,
      active: record.version === this.activeVersion,
      deployedAtMs: record.deployedAtMs,
      codeId: record.code.codeId,
      url: `${urlOf(serverUrl, runtime)}@${record.version}`,
      pool: toPool(runtime.info()),
    };
  }
}

export function urlOf(serverUrl: string, { name, manifest }: Pick<FunctionRuntime, "name" | "manifest">): string {
  return `${serverUrl}/${KIND_SEGMENTS[manifest.kind]}/${name}`;
}

function toPool({ state, reason, containers, pending, running }: FunctionInfo): DeploymentInfo["pool"] {
  return { state, reason, containers, pending, running };
}
