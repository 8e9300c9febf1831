import {
  SamovarError,
  type DeployEvent,
  type DeployRequest,
  type DeployResponse,
  type DeployedFunction,
  type DeploymentDetail,
  type DeploymentInfo,
  type FunctionInfo,
  type FunctionOptions,
  type IdSource,
  type LogLine,
  type ScalingPatch,
  type StopReason,
} from "@samovar/protocol";
import { describeNear, type Clock, type Logger } from "@samovar/kit";
import { toImpossibleError, type DeploymentControl, type FunctionRuntime } from "@samovar/scheduler";
import type { DeploymentStore } from "@samovar/storage";
import type { AppMaker } from "../apps/app-maker.ts";
import type { FunctionRegistry } from "../apps/function-registry.ts";
import type { CodeStore } from "../code/code-store.ts";
import type { Serving } from "../tasks/serving.ts";
import { Deployment, urlOf, type LiveVersion } from "./deployment.ts";
import { appRollbackTargets, assertOwned, noVersion, rollbackTarget, selectFunctions } from "./decisions.ts";
import { bringUp } from "./bring-up.ts";
import { Turns } from "./turns.ts";
import { DEPLOYED, revive, toVersionRecord } from "./version-record.ts";

export interface DeploymentsOptions {
  readonly store: DeploymentStore;
  readonly registry: FunctionRegistry;
  readonly maker: AppMaker;
  readonly serving: Serving;
  readonly code: CodeStore;
  readonly ids: IdSource;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly url: () => string;
  /** Why a function that asks for this can never have a container here; null when it can. */
  readonly describeImpossible: (options: FunctionOptions) => string | null;
  /** How many containers of these options the host can hold. */
  readonly hostCeiling: (options: FunctionOptions) => number;
  /** The server ends with its last session: nothing is deployed to it, and what the home has deployed waits for one that stays. */
  readonly embedded: boolean;
}

/**
 * What is deployed: makes versions, switches names between them, keeps all of it in storage. What is in memory follows
 * what is on disk: a change is committed first and then seen by callers, in one turn of the event loop.
 *
 * A deploy has three parts: making (code, build and deploy hooks, first containers), which can be given up at any moment
 * and changes nothing; the commit; and the old version's drain, for which nobody waits.
 */
export class Deployments implements DeploymentControl {
  readonly #options: DeploymentsOptions;
  readonly #byName = new Map<string, Deployment>();
  /** Who follows the deploys that are being made, by the functions of each. */
  readonly #followers = new Map<string, (event: DeployEvent) => void>();
  /** One deploy of an app after another. */
  readonly #deploys = new Turns();
  /** One change of what is deployed after another. */
  readonly #commits = new Turns();
  readonly #stopping = new AbortController();
  /** Versions that were deleted and whose containers still drain. */
  readonly #leaving = new Set<FunctionRuntime>();

  constructor(options: DeploymentsOptions) {
    this.#options = options;
  }

  /**
   * Serves again what was deployed when an earlier server ended. Hooks of a deploy don't run again. `known` is called when
   * all versions can be found in the registry, and none has started a container yet.
   */
  restore({ deployments, versions }: Awaited<ReturnType<DeploymentStore["load"]>>, known: () => void = () => {}): void {
    const { embedded, registry, logger } = this.#options;
    if (embedded) return;
    for (const record of deployments) {
      if (versions.some(({ name, version }) => isSame(name, record.name) && version === record.activeVersion))
        this.#byName.set(record.name.toLowerCase(), new Deployment(record.name, record));
      else logger.error({ deployment: record.name, version: record.activeVersion }, "The active version is not in the database: not served");
    }
    for (const record of versions) {
      const deployment = this.#byName.get(record.name.toLowerCase());
      if (!deployment) continue;
      const live = this.#toLive(record);
      deployment.versions.set(record.version, live);
      registry.add(live.runtime);
    }
    known();
    for (const deployment of this.#byName.values()) {
      this.#route(deployment);
      if (deployment.state === "active") this.#activate(deployment);
      else this.#rest(deployment);
    }
  }

  async deploy(request: DeployRequest, emit: (event: DeployEvent) => void, signal: AbortSignal): Promise<DeployResponse> {
    if (this.#options.embedded)
      throw new SamovarError(
        "unsupported",
        "This server belongs to samovar run or serve and ends with it: start one that stays with samovar up -d, and deploy to that",
      );
    const { app } = request.manifest;
    if (this.#deploys.isBusy(app)) emit({ type: "progress", message: `waiting for another deploy of ${app}` });
    const ended = AbortSignal.any([signal, this.#stopping.signal]);
    return this.#deploys.take(app, () => this.#deploy(request, emit, ended));
  }

  async #deploy(request: DeployRequest, emit: (event: DeployEvent) => void, signal: AbortSignal): Promise<DeployResponse> {
    assertGoesOn(signal);
    const { registry, store, maker, ids, clock } = this.#options;
    const manifest = selectFunctions(request.manifest, request.only);
    const names = manifest.functions.map(({ name }) => name);
    assertOwned(manifest.app, names, (name) => this.#byName.get(name.toLowerCase())?.app, request.takeOver ?? false);
    const holders = names.flatMap((name) => this.#byName.get(name.toLowerCase())?.active.runtime ?? []);
    for (const { name, options } of manifest.functions) {
      const impossible = this.#options.describeImpossible(options);
      if (impossible !== null) throw toImpossibleError(`A container of ${name}`, impossible);
      const most = this.#options.hostCeiling(options);
      if (options.minContainers > most)
        emit({
          type: "note",
          message: `${name} asks for minContainers ${options.minContainers}, and this host holds ${most} of it at most: it fills the host`,
        });
    }
    const unreserve = registry.reserve(names, holders, `a deploy of ${manifest.app}`);
    const functionIds: string[] = [];
    let undo = (): unknown => undefined;
    try {
      const versions = new Map((await store.begin(names)).map((version, i) => [names[i]!, version]));
      const made = await maker.make({
        request: { ...request, manifest },
        publicName: ({ name }) => name,
        versionOf: ({ name }) => versions.get(name)!,
        siblings: this.#siblings(manifest.app, names),
        development: false,
        known: { key: null, values: new Map() },
        named: (made) => {
          functionIds.push(...made);
          for (const functionId of made) this.#followers.set(functionId, emit);
        },
        emit,
        signal,
      });
      undo = () => made.release();
      const deployId = ids("deploy");
      const records = made.functions.map((one) => toVersionRecord(one, deployId, clock.now()));
      const next = records.map((record) => this.#toLive(record));
      // Each version has its own hold by now.
      made.release();
      undo = () => Promise.all(next.map((version) => this.#close(version, "done", 0)));
      // Containers that start before the switch call their siblings by id.
      for (const { runtime } of next) registry.add(runtime);
      if (!request.noWait) {
        const oldOf = (name: string): FunctionRuntime | null => this.#byName.get(name.toLowerCase())?.active.runtime ?? null;
        await Promise.all(next.map((version) => bringUp(version, { old: oldOf(version.record.name), clock, emit, signal })));
      }
      const result = await this.#commits.take("", async () => {
        assertGoesOn(signal);
        const left = [...this.#byName.values()].filter((one) => one.app === manifest.app && !request.only && !names.some((name) => isSame(name, one.name)));
        const pruned = request.prune ? left.filter(({ state }) => state === "active") : [];
        await store.activate(
          manifest.app,
          records,
          pruned.map(({ name }) => name),
        );
        return this.#switch(manifest.app, deployId, next, left, pruned);
      });
      undo = () => undefined;
      return result;
    } catch (error) {
      // Whatever was under way says it in its own words.
      assertGoesOn(signal);
      throw error;
    } finally {
      await undo();
      unreserve();
      for (const functionId of functionIds) this.#followers.delete(functionId);
    }
  }

  /** After the commit: in one turn the new versions take the calls, and the old ones begin to drain. */
  #switch(app: string, deployId: string, next: readonly LiveVersion[], left: readonly Deployment[], pruned: readonly Deployment[]): DeployResponse {
    for (const version of next) {
      const { name, version: number } = version.record;
      let deployment = this.#byName.get(name.toLowerCase());
      const old = deployment?.active ?? null;
      if (!deployment) this.#byName.set(name.toLowerCase(), (deployment = new Deployment(name, { app, state: "active", activeVersion: number, scaling: {} })));
      deployment.versions.set(number, version);
      const wasStopped = deployment.state === "stopped";
      Object.assign(deployment, { app, state: "active", activeVersion: number, scaling: {} });
      this.#route(deployment);
      this.#activate(deployment);
      if (wasStopped) for (const { runtime } of deployment.versions.values()) if (runtime !== version.runtime) runtime.restart();
      if (old) void old.runtime.retire(version.runtime);
    }
    for (const deployment of pruned) this.#rest(deployment);
    return {
      deployId,
      app,
      functions: next.map(({ runtime }) => this.#toDeployed(runtime)),
      left: left.filter((one) => !pruned.includes(one)).map((one) => this.#toDeployed(one.active.runtime)),
      pruned: pruned.map(({ name }) => name),
    };
  }

  list(): readonly DeploymentInfo[] {
    const sorted = [...this.#byName].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return sorted.map(([, deployment]) => deployment.info(this.#options.url()));
  }

  get(name: string): DeploymentDetail {
    return this.#find(name).detail(this.#options.url());
  }

  stop(name: string): Promise<DeploymentInfo> {
    return this.#change(name, async (deployment) => {
      await this.#options.store.setState(deployment.name, "stopped");
      this.#rest(deployment);
    });
  }

  start(name: string): Promise<DeploymentInfo> {
    return this.#change(name, async (deployment) => {
      if (deployment.state === "active") return;
      await this.#options.store.setState(deployment.name, "active");
      deployment.state = "active";
      for (const { runtime } of deployment.versions.values()) runtime.restart();
      this.#activate(deployment);
    });
  }

  async rollback(name: string, version: number | null): Promise<DeploymentInfo> {
    const target = { name, version: rollbackTarget(this.#find(name).snapshot(), version) };
    await this.#rollBack([target]);
    return this.#find(name).info(this.#options.url());
  }

  async rollbackApp(app: string): Promise<readonly DeploymentInfo[]> {
    const targets = appRollbackTargets(
      app,
      [...this.#byName.values()].map((deployment) => deployment.snapshot()),
    );
    await this.#rollBack(targets);
    return targets.map(({ name }) => this.#find(name).info(this.#options.url()));
  }

  /** The same switch as a deploy's, to versions that are there: their first containers, the commit, the old ones' drain. */
  async #rollBack(targets: readonly { readonly name: string; readonly version: number }[]): Promise<void> {
    const changes = targets.filter(({ name, version }) => this.#find(name).activeVersion !== version);
    const { signal } = this.#stopping;
    await Promise.all(
      changes.map(async ({ name, version }) => {
        const deployment = this.#find(name);
        if (deployment.state === "active")
          await bringUp(deployment.versions.get(version)!, { old: deployment.active.runtime, clock: this.#options.clock, emit() {}, signal });
      }),
    );
    await this.#commits.take("", async () => {
      assertGoesOn(signal);
      await this.#options.store.setActive(changes);
      for (const { name, version } of changes) {
        const deployment = this.#find(name);
        const old = deployment.active.runtime;
        deployment.activeVersion = version;
        this.#route(deployment);
        if (deployment.state === "active") this.#activate(deployment);
        void old.retire(deployment.active.runtime);
      }
    });
  }

  async delete(name: string, version: number | null): Promise<void> {
    await this.#commits.take("", async () => {
      const deployment = this.#find(name);
      if (version !== null) return this.#deleteVersion(deployment, version);
      await this.#options.store.remove(deployment.name);
      this.#byName.delete(deployment.name.toLowerCase());
      const { registry } = this.#options;
      registry.unroute(deployment.name);
      // By id neither: what is queued from here on would be cancelled, or left behind.
      for (const { runtime } of deployment.versions.values()) registry.remove(runtime);
      await this.#options.serving.ended(deployment.active.runtime);
      for (const { runtime } of deployment.versions.values()) await this.#options.serving.versionEnded(runtime);
      for (const live of deployment.versions.values()) void this.#close(live, "stop", null);
    });
  }

  async #deleteVersion(deployment: Deployment, version: number): Promise<void> {
    const live = deployment.versions.get(version);
    if (!live) throw noVersion(deployment.snapshot(), version);
    if (version === deployment.activeVersion)
      throw new SamovarError(
        "conflict",
        `Version ${version} of ${deployment.name} is the active one: roll back to another first, or delete the whole deployment`,
      );
    await this.#options.store.removeVersion(deployment.name, version);
    deployment.versions.delete(version);
    this.#route(deployment);
    this.#options.registry.remove(live.runtime);
    await this.#options.serving.versionEnded(live.runtime);
    void this.#close(live, "stop", null);
  }

  /** Of a function that is deployed under this name or id; undefined when it isn't. */
  async scale(idOrName: string, patch: ScalingPatch): Promise<FunctionInfo | undefined> {
    const byName = this.#byName.get(idOrName.toLowerCase());
    const deployment = byName ?? [...this.#byName.values()].find((one) => one.active.record.functionId === idOrName);
    if (!deployment) return undefined;
    return this.#commits.take("", async () => {
      const { runtime } = deployment.active;
      const scaling = { ...deployment.scaling, ...patch };
      runtime.assertScaling(scaling);
      await this.#options.store.setScaling(deployment.name, scaling);
      deployment.scaling = scaling;
      runtime.scale(scaling);
      return runtime.info();
    });
  }

  /** Lines of the containers of a deploy that is being made go to whoever asked for it. */
  logged(line: LogLine, functionId: string): void {
    this.#followers.get(functionId)?.({ type: "log", line });
  }

  /** Deploys that are being made are given up, and all containers end. */
  async closeAll(reason: StopReason, drainMs: number): Promise<void> {
    this.#stopping.abort(new SamovarError("shutting_down", "The server is shutting down: deploy when it is back"));
    await Promise.all([this.#deploys.settled(), this.#commits.settled()]);
    const all = [...this.#byName.values()].flatMap((deployment) => [...deployment.versions.values()].map(({ runtime }) => runtime));
    await Promise.all([...all, ...this.#leaving].map((runtime) => runtime.close(reason, drainMs)));
  }

  #toLive(record: LiveVersion["record"]): LiveVersion {
    const { code, maker } = this.#options;
    const hold = code.hold();
    const runtime = maker.create(revive(record, hold), DEPLOYED);
    return { record, runtime, release: () => hold.release() };
  }

  async #close(version: LiveVersion, reason: StopReason, drainMs: number | null): Promise<void> {
    const { runtime } = version;
    this.#leaving.add(runtime);
    this.#options.registry.remove(runtime);
    await runtime.close(reason, drainMs);
    this.#leaving.delete(runtime);
    version.release();
  }

  #route(deployment: Deployment): void {
    this.#options.registry.route(deployment.name, deployment.active.runtime, deployment.runtimes);
  }

  #activate(deployment: Deployment): void {
    const { runtime } = deployment.active;
    runtime.activate(deployment.scaling);
    this.#options.serving.began(runtime, { ticks: true });
  }

  /** Its containers end; calls are refused, and its tasks wait. */
  #rest(deployment: Deployment): void {
    deployment.state = "stopped";
    this.#options.serving.rests(deployment.active.runtime);
    for (const { runtime } of deployment.versions.values()) void runtime.stop();
  }

  /** Whether something is deployed under this name, served or stopped. */
  has(name: string): boolean {
    return this.#byName.has(name.toLowerCase());
  }

  async #change(name: string, change: (deployment: Deployment) => Promise<void>): Promise<DeploymentInfo> {
    return this.#commits.take("", async () => {
      const deployment = this.#find(name);
      await change(deployment);
      return deployment.info(this.#options.url());
    });
  }

  #siblings(app: string, made: readonly string[]): Record<string, string> {
    const others = [...this.#byName.values()].filter((one) => one.app === app && !made.some((name) => isSame(name, one.name)));
    return Object.fromEntries(others.map((one) => [one.name, one.active.record.functionId]));
  }

  #find(name: string): Deployment {
    const deployment = this.#byName.get(name.toLowerCase());
    if (deployment) return deployment;
    const names = [...this.#byName.values()].map((one) => one.name);
    throw new SamovarError("not_found", `Nothing is deployed as ${JSON.stringify(name)}${describeNear(name, names, "deployments")}`);
  }

  #toDeployed(runtime: FunctionRuntime): DeployedFunction {
    const { name, version, functionId, manifest } = runtime;
    return { name, kind: manifest.kind, version, id: functionId, url: urlOf(this.#options.url(), runtime) };
  }
}

const isSame = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();

function assertGoesOn(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw signal.reason instanceof SamovarError ? signal.reason : new SamovarError("cancelled", "The deploy was given up: nothing was changed");
}
