import { SamovarError, type CreatedToken, type DeployEvent, type DeployRequest, type DeployResponse, type DeploymentDetail } from "@samovar/protocol";
import type { DeploymentControl, TokenControl } from "@samovar/scheduler";

const POOL = { state: "ready", reason: null, containers: { starting: 0, ready: 1, draining: 0 }, pending: 0, running: 0 } as const;

/** A deployment whose versions' ids are those of `FakeFunction`s of the same name. The last version is active. */
export function deploymentOf(name: string, app: string, versions = 2): DeploymentDetail {
  const url = `http://127.0.0.1:8700/function/${name}`;
  return {
    name,
    kind: "function",
    app,
    state: "active",
    activeVersion: versions,
    id: `fn_${name}_${versions}`,
    url,
    deployedAtMs: versions,
    pool: POOL,
    scaling: { maxContainers: null },
    versions: Array.from({ length: versions }, (_, i) => versions - i).map((version) => ({
      version,
      id: `fn_${name}_${version}`,
      deployId: `dp_${version}`,
      active: version === versions,
      deployedAtMs: version,
      codeId: "c0de",
      url: `${url}@${version}`,
      pool: POOL,
    })),
  };
}

export const DEPLOYED: DeployResponse = { app: "app", deployId: "dp_1", functions: [], left: [], pruned: [] };

/** Deployments of two apps, which keep what they were asked. */
export class FakeDeployments implements DeploymentControl {
  readonly all: DeploymentDetail[] = [deploymentOf("predict", "app"), deploymentOf("train", "other")];
  readonly #asked: unknown[];
  run: (request: DeployRequest, emit: (event: DeployEvent) => void, signal: AbortSignal) => Promise<DeployResponse> = () => Promise.resolve(DEPLOYED);

  constructor(asked: unknown[]) {
    this.#asked = asked;
  }

  deploy(request: DeployRequest, emit: (event: DeployEvent) => void, signal: AbortSignal): Promise<DeployResponse> {
    this.#asked.push(["deploy", request]);
    return this.run(request, emit, signal);
  }
  list() {
    return this.all.map(({ versions: _, ...info }) => info);
  }
  get(name: string): DeploymentDetail {
    const found = this.all.find((each) => each.name === name.toLowerCase());
    if (!found) throw new SamovarError("not_found", `Nothing is deployed as "${name}"`);
    return found;
  }
  async stop(name: string) {
    return this.#change("stop", name);
  }
  async start(name: string) {
    return this.#change("start", name);
  }
  async rollback(name: string, version: number | null) {
    return this.#change("rollback", name, version);
  }
  async rollbackApp(app: string) {
    this.#asked.push(["rollbackApp", app]);
    return this.list().filter((each) => each.app === app);
  }
  async delete(name: string, version: number | null): Promise<void> {
    this.#change("delete", name, version);
  }

  #change(verb: string, name: string, ...more: unknown[]) {
    this.#asked.push([verb, name, ...more]);
    const { versions: _, ...info } = this.get(name);
    return info;
  }
}

/** One token, `ci`. */
export function createFakeTokens(asked: unknown[]): TokenControl {
  const info = { id: "to_ci", name: "ci", scopes: ["deploy"] as const, app: "app", createdAtMs: 1, expiresAtMs: 2 };
  return {
    async create(request): Promise<CreatedToken> {
      asked.push(["createToken", request]);
      return { ...info, token: "smv_shown_once" };
    },
    list: async () => [info],
    async revoke(idOrName) {
      asked.push(["revokeToken", idOrName]);
      return idOrName === info.id || idOrName === info.name;
    },
  };
}
