import type { DatabaseSync } from "node:sqlite";
import type { DeploymentState, FunctionKind } from "@samovar/protocol";
import type { DeploymentRow, VersionRow } from "./operations.ts";
import { Refusal } from "./sqlite-failure.ts";

export interface DeploymentTables {
  load(): { readonly deployments: DeploymentRow[]; readonly versions: VersionRow[] };
  begin(names: readonly string[]): number[];
  activate(app: string, versions: readonly VersionRow[], pruned: readonly string[]): undefined;
  setActive(changes: readonly { readonly name: string; readonly version: number }[]): undefined;
  setState(name: string, state: DeploymentState): undefined;
  setScaling(name: string, scaling: string): undefined;
  removeVersion(name: string, version: number): boolean;
  remove(name: string): boolean;
}

/** Every operation is all or nothing by the savepoint that its batch puts around it. */
export function createDeploymentTables(database: DatabaseSync): DeploymentTables {
  // A deployment is of the kind that its active version is.
  const loadDeployments = database.prepare(`
    SELECT d.name, d.app, v.kind, d.state, d.active_version, d.scaling
    FROM deployments AS d JOIN versions AS v ON v.name_key = d.name_key AND v.version = d.active_version ORDER BY d.name_key`);
  const loadVersions = database.prepare(`
    SELECT d.name, v.version, v.kind, v.function_id, v.deploy_id, v.deployed_at_ms, v.details
    FROM versions AS v JOIN deployments AS d USING (name_key) ORDER BY v.name_key, v.version`);
  const nextNumber = database.prepare(`
    INSERT INTO version_numbers (name_key, last) VALUES (?, 1) ON CONFLICT (name_key) DO UPDATE SET last = last + 1 RETURNING last`);
  // A name that was removed while its deploy was under way has given no number any more.
  const keepNumber = database.prepare(`
    INSERT INTO version_numbers (name_key, last) VALUES (:key, :version) ON CONFLICT (name_key) DO UPDATE SET last = max(last, :version)`);
  const insertVersion = database.prepare(`
    INSERT INTO versions (name_key, version, kind, function_id, deploy_id, deployed_at_ms, details) VALUES (?, ?, ?, ?, ?, ?, ?)`);
  const activate = database.prepare(`
    INSERT INTO deployments (name_key, name, app, state, active_version, scaling) VALUES (?, ?, ?, 'active', ?, '{}')
    ON CONFLICT (name_key) DO UPDATE SET app = excluded.app, state = 'active', active_version = excluded.active_version, scaling = '{}'`);
  const hasVersion = database.prepare("SELECT 1 FROM versions WHERE name_key = ? AND version = ?");
  const setActive = database.prepare("UPDATE deployments SET active_version = ? WHERE name_key = ?");
  const setState = database.prepare("UPDATE deployments SET state = ? WHERE name_key = ?");
  const setScaling = database.prepare("UPDATE deployments SET scaling = ? WHERE name_key = ?");
  const isActive = database.prepare("SELECT 1 FROM deployments WHERE name_key = ? AND active_version = ?");
  const removeVersion = database.prepare("DELETE FROM versions WHERE name_key = ? AND version = ?");
  const removeAll = ["deployments", "versions", "version_numbers"].map((table) => database.prepare(`DELETE FROM ${table} WHERE name_key = ?`));
  const removeSchedule = database.prepare("DELETE FROM schedules WHERE name = ?");

  return {
    load() {
      return { deployments: loadDeployments.all().map(toDeploymentRow), versions: loadVersions.all().map(toVersionRow) };
    },
    begin(names) {
      return names.map((name) => Number(nextNumber.get(toKey(name))!["last"]));
    },
    activate(app, versions, pruned) {
      for (const row of versions) {
        const key = toKey(row.name);
        keepNumber.run({ key, version: row.version });
        insertVersion.run(key, row.version, row.kind, row.functionId, row.deployId, row.deployedAtMs, row.details);
        activate.run(key, row.name, app, row.version);
      }
      for (const name of pruned) setState.run("stopped", toKey(name));
    },
    setActive(changes) {
      for (const { name, version } of changes) {
        const key = toKey(name);
        if (!hasVersion.get(key, version)) throw new Refusal("not_found", `Version ${version} of ${JSON.stringify(name)} is not kept`);
        setActive.run(version, key);
      }
    },
    setState(name, state) {
      if (setState.run(state, toKey(name)).changes === 0) noDeployment(name);
    },
    setScaling(name, scaling) {
      if (setScaling.run(scaling, toKey(name)).changes === 0) noDeployment(name);
    },
    removeVersion(name, version) {
      const key = toKey(name);
      if (isActive.get(key, version)) {
        throw new Refusal("conflict", `Version ${version} of ${JSON.stringify(name)} is the active one: make another active, or remove the deployment`);
      }
      return removeVersion.run(key, version).changes > 0;
    },
    remove(name) {
      removeSchedule.run(toKey(name));
      const [removed] = removeAll.map((each) => each.run(toKey(name)).changes);
      return removed! > 0;
    },
  };
}

const toKey = (name: string): string => name.toLowerCase();

function noDeployment(name: string): never {
  throw new Refusal("not_found", `Nothing is deployed as ${JSON.stringify(name)}`);
}

function toDeploymentRow(row: Record<string, unknown>): DeploymentRow {
  return {
    name: String(row["name"]),
    app: String(row["app"]),
    kind: row["kind"] as FunctionKind,
    state: row["state"] as DeploymentState,
    activeVersion: Number(row["active_version"]),
    scaling: String(row["scaling"]),
  };
}

function toVersionRow(row: Record<string, unknown>): VersionRow {
  return {
    name: String(row["name"]),
    version: Number(row["version"]),
    kind: row["kind"] as FunctionKind,
    functionId: String(row["function_id"]),
    deployId: String(row["deploy_id"]),
    deployedAtMs: Number(row["deployed_at_ms"]),
    details: String(row["details"]),
  };
}
