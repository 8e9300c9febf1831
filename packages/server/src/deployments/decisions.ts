import { SamovarError, describeNameProblem, type AppManifest, type DeployRequest } from "@samovar/protocol";
import type { VersionRecord } from "@samovar/storage";
import { describeHostProblem } from "../apps/host-label.ts";

/** What a decision needs to know of one deployment. */
export interface DeploymentSnapshot {
  readonly name: string;
  readonly app: string;
  readonly activeVersion: number;
  readonly versions: readonly Pick<VersionRecord, "app" | "version" | "deployId" | "deployedAtMs">[];
}

/** The part of the app that is to be deployed. Throws when a name that was asked for is not in it, or can't be deployed. */
export function selectFunctions(manifest: AppManifest, only: DeployRequest["only"]): AppManifest {
  const missing = only?.filter((name) => !manifest.functions.some((one) => one.name === name)) ?? [];
  if (missing.length > 0) {
    const there = manifest.functions.map(({ name }) => name).join(", ");
    throw new SamovarError("not_found", `The module has no function ${missing.join(", ")}: it has ${there || "none"}`);
  }
  const functions = only ? manifest.functions.filter(({ name }) => only.includes(name)) : manifest.functions;
  if (functions.length === 0) throw new SamovarError("invalid_definition", `The app ${manifest.app} defines no function: export one, such as endpoint(…)`);
  for (const { name } of functions) {
    const problem = describeNameProblem(name) ?? describeHostProblem(name);
    if (problem) throw new SamovarError("invalid_definition", problem);
  }
  return { ...manifest, functions };
}

/** A name belongs to the app that deployed it first, until another takes it on purpose. */
export function assertOwned(app: string, names: readonly string[], ownerOf: (name: string) => string | undefined, takeOver: boolean): void {
  if (takeOver) return;
  for (const name of names) {
    const owner = ownerOf(name);
    if (owner === undefined || owner === app) continue;
    throw new SamovarError(
      "conflict",
      `The name ${name} belongs to the app ${owner}, and this is the app ${app}: call the function ${app}-${name}, or take the name with --take-over`,
      { fields: { name, owner, app } },
    );
  }
}

/** The version that a rollback leads to: the one asked for, else the newest one before the active one, of the app that has the name. */
export function rollbackTarget(deployment: DeploymentSnapshot, asked: number | null): number {
  const { name, app, activeVersion, versions } = deployment;
  // Those of an app that had the name before are that app's to deploy again.
  const foreign = versions.find((one) => one.version === asked && one.app !== app);
  if (foreign)
    throw new SamovarError(
      "conflict",
      `Version ${asked} of ${name} is of the app ${foreign.app}, and the name belongs to ${app} now: deploy it from there, with --take-over`,
    );
  const kept = ownVersions(deployment);
  if (asked !== null) {
    if (!kept.includes(asked)) throw noVersion(deployment, asked);
    return asked;
  }
  const before = kept.find((version) => version < activeVersion);
  if (before === undefined) throw new SamovarError("conflict", `${name} has no version before ${activeVersion}, which is active: ${listed(kept)}`);
  return before;
}

export function noVersion(deployment: DeploymentSnapshot, version: number): SamovarError {
  const kept = listed(ownVersions(deployment));
  return new SamovarError("not_found", `${deployment.name} has no version ${version}: it was deleted, or never was; ${kept}`);
}

/** Newest first; those of an app that had the name before are not among them. */
function ownVersions({ app, versions }: DeploymentSnapshot): number[] {
  return versions
    .filter((one) => one.app === app)
    .map(({ version }) => version)
    .sort((a, b) => b - a);
}

const listed = (versions: readonly number[]): string => (versions.length > 0 ? `there are ${versions.join(", ")}` : "there is none");

/**
 * Where a rollback of a whole app leads: to what it was before the newest deploy that is active. Each function of that
 * deploy goes to its version before; one that came with it has none, and stays.
 */
export function appRollbackTargets(app: string, deployments: readonly DeploymentSnapshot[]): { readonly name: string; readonly version: number }[] {
  const own = deployments.filter((one) => one.app === app);
  const active = own.flatMap((one) => one.versions.filter(({ version }) => version === one.activeVersion));
  const newest = active.toSorted((a, b) => b.deployedAtMs - a.deployedAtMs)[0];
  if (!newest) throw new SamovarError("not_found", `Nothing of an app ${app} is deployed`);
  const targets = own.flatMap((one) => {
    const { name, activeVersion, versions } = one;
    if (versions.find(({ version }) => version === activeVersion)?.deployId !== newest.deployId) return [];
    const before = ownVersions(one).find((version) => version < activeVersion);
    return before === undefined ? [] : [{ name, version: before }];
  });
  if (targets.length === 0) throw new SamovarError("conflict", `The app ${app} has no deploy before the active one to go back to`);
  return targets;
}

/**
 * How many containers of the new version must be ready before it takes over, by pool: as many as the old one has busy, at
 * least one. Its floor comes after. A class that can't be made without arguments is brought up only as it was busy.
 */
export function warmUpPlan(
  busy: ReadonlyMap<string, number>,
  options: { readonly maxContainers: number | null; readonly requiresParameters: boolean; readonly defaultPool: string },
): ReadonlyMap<string, number> {
  const ceiling = options.maxContainers ?? Infinity;
  const plan = new Map([...busy].map(([pool, count]) => [pool, Math.min(count, ceiling)]));
  if (!options.requiresParameters) plan.set(options.defaultPool, Math.min(ceiling, Math.max(1, busy.get(options.defaultPool) ?? 0)));
  return plan;
}
