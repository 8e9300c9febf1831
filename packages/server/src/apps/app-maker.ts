import { join } from "node:path";
import { SamovarError, type AppRequest, type FunctionManifest, type IdSource } from "@samovar/protocol";
import { FunctionRuntime, canonicalJson, runHooks, type ContainerHost, type FunctionSpec, type PoolServices } from "@samovar/scheduler";
import type { CodeMount } from "@samovar/runtime";
import type { BuildStore } from "../code/build-store.ts";
import type { CodeHold, CodeStore } from "../code/code-store.ts";
import { markUsed } from "../home/retention.ts";
import { describeScheduleProblem } from "../schedules/schedule-problem.ts";
import { toLoad, type MadeFunction, type ServingMode } from "./made-function.ts";

export interface AppMakerOptions {
  readonly host: ContainerHost;
  readonly ids: IdSource;
  readonly code: CodeStore;
  readonly builds: BuildStore;
  /** Where V8's compile caches lie. */
  readonly compileCacheDir: string;
  readonly callEnded: PoolServices["callEnded"];
}

/** What onDeploy returned, by function, and what that depended on. */
export interface DeployValues {
  readonly key: string | null;
  readonly values: ReadonlyMap<string, unknown>;
}

/** One version of an app that is asked for. */
export interface AppOrder {
  readonly request: AppRequest;
  publicName(manifest: FunctionManifest): string;
  versionOf(manifest: FunctionManifest): number;
  /** Functions of the app that are not made here, and may be called. */
  readonly siblings: Readonly<Record<string, string>>;
  readonly development: boolean;
  /** onDeploy is not run again where it depends on the same as this: for `serve`. */
  readonly known: DeployValues;
  /** Before any hook of these functions runs. */
  named(functionIds: readonly string[]): void;
  emit(event: { readonly type: "progress" | "note"; readonly message: string }): void;
  readonly signal: AbortSignal;
}

export interface MadeApp {
  readonly functions: readonly MadeFunction[];
  readonly deployed: DeployValues;
  /** Its functions are closed, or will not be created: its code may go. */
  release(): void;
}

type Unbuilt = Omit<MadeFunction, "builtCode" | "code">;

/**
 * Makes one version of an app: places its code, then runs what onBuild and onDeploy hooks must run. Whatever fails,
 * nothing was changed. It knows nothing of names and routes.
 */
export class AppMaker {
  readonly #options: AppMakerOptions;
  readonly #pools: PoolServices;

  constructor(options: AppMakerOptions) {
    this.#options = options;
    this.#pools = { host: options.host, newContainerId: () => options.ids("container"), random: Math.random, callEnded: options.callEnded };
  }

  async make(order: AppOrder): Promise<MadeApp> {
    for (const { name, schedule } of order.request.manifest.functions) {
      const problem = schedule && describeScheduleProblem(schedule);
      if (problem) throw new SamovarError("invalid_definition", `The schedule ${name} can't tick: ${problem}`);
    }
    const hold = this.#options.code.hold();
    try {
      return await this.#make(order, hold);
    } catch (error) {
      hold.release();
      throw error;
    }
  }

  /** The function itself, which starts containers as they are needed. */
  create(made: MadeFunction, mode: ServingMode, onUse: () => void = () => {}): FunctionRuntime {
    const { manifest, functionId, name, app, version, code, builtCode } = made;
    const spec: FunctionSpec = {
      functionId,
      name,
      app,
      version,
      manifest,
      code,
      builtCode,
      load: toLoad(made, mode.development, this.#compileCacheDir(code)),
      ...mode,
    };
    return new FunctionRuntime(spec, this.#pools, onUse);
  }

  async #make(order: AppOrder, hold: CodeHold): Promise<MadeApp> {
    const { ids, host } = this.#options;
    const { request } = order;
    const code = await hold.place(request.code);
    await markUsed(this.#compileCacheDir(code), host.clock.now());
    const named = request.manifest.functions.map((manifest) => ({ manifest, functionId: ids("function") }));
    order.named(named.map(({ functionId }) => functionId));
    // By export too: a handle of a function that was deployed under another name still says its own.
    const byExport = named.map(({ manifest, functionId }) => [manifest.exportName, functionId]);
    const byName = named.map(({ manifest, functionId }) => [manifest.name, functionId]);
    const functionIds = { ...order.siblings, ...Object.fromEntries([...byExport, ...byName]) };
    const built: (Unbuilt & Pick<MadeFunction, "builtCode" | "code">)[] = [];
    for (const { manifest, functionId } of named) {
      const one: Unbuilt = {
        manifest,
        functionId,
        name: order.publicName(manifest),
        app: request.manifest.app,
        version: order.versionOf(manifest),
        functionIds,
        onDeployValue: undefined,
      };
      const builtCode = await this.#build(order, hold, one, code);
      // Arguments that were not built with find what the first build left.
      built.push({ ...one, builtCode, code: builtCode.values().next().value ?? code });
    }
    const deployed = await this.#deploy(order, built);
    return {
      functions: built.map((one) => ({ ...one, onDeployValue: deployed.values.get(one.manifest.name) })),
      deployed,
      release: () => hold.release(),
    };
  }

  /** onBuild: once per image content, hook text and constructor arguments asked for. The code that follows lies on top of what it wrote. */
  async #build(order: AppOrder, hold: CodeHold, one: Unbuilt, code: CodeMount): Promise<Map<string, CodeMount>> {
    const built = new Map<string, CodeMount>();
    if (one.manifest.hooks.onBuild.length === 0) return built;
    for (const parameters of one.manifest.builds) built.set(canonicalJson(parameters), await this.#buildOnce(order, hold, one, code, parameters));
    return built;
  }

  async #buildOnce(order: AppOrder, hold: CodeHold, one: Unbuilt, code: CodeMount, parameters: readonly unknown[]): Promise<CodeMount> {
    const { builds, host, ids } = this.#options;
    const key = builds.key(one.app, one.manifest, parameters);
    const what = `onBuild of ${one.name}${parameters.length > 0 ? ` with ${JSON.stringify(parameters)}` : ""}`;
    let build = order.request.forceBuild ? undefined : await builds.find(key);
    if (build) {
      order.emit({ type: "note", message: `${what} cached from ${new Date(build.builtAtMs).toISOString()}` });
    } else {
      order.emit({ type: "progress", message: what });
      await runHooks(host, {
        containerId: ids("container"),
        mode: "build",
        manifest: one.manifest,
        code,
        load: { ...toLoad(one, order.development, this.#compileCacheDir(code)), parameters },
        signal: order.signal,
        onWait: (reason) => order.emit({ type: "note", message: `${what} waits: ${reason}` }),
        keep: async (workDir) => void (build = await builds.keep(key, workDir, code, host.clock.now(), one.manifest.options.diskMib)),
      });
    }
    return build ? hold.onTopOf(code, `${key}-${build.builtAtMs}`, build.dir) : code;
  }

  /** onDeploy: once per version; under `serve` once per session and again when it changed. */
  async #deploy(order: AppOrder, built: readonly (Unbuilt & Pick<MadeFunction, "code">)[]): Promise<DeployValues> {
    const { host, ids } = this.#options;
    const key = order.request.deployKey ?? null;
    const unchanged = key !== null && key === order.known.key;
    const values = new Map<string, unknown>();
    for (const one of built) {
      const { manifest, code, name } = one;
      if (manifest.hooks.onDeploy.length === 0) continue;
      if (unchanged && order.known.values.has(manifest.name)) {
        values.set(manifest.name, order.known.values.get(manifest.name));
        continue;
      }
      order.emit({ type: "progress", message: `onDeploy of ${name}` });
      const load = { ...toLoad(one, order.development, this.#compileCacheDir(code)), parameters: [] };
      const onWait = (reason: string): void => order.emit({ type: "note", message: `onDeploy of ${name} waits: ${reason}` });
      values.set(manifest.name, await runHooks(host, { containerId: ids("container"), mode: "deploy", manifest, code, load, signal: order.signal, onWait }));
    }
    return { key, values };
  }

  #compileCacheDir(code: CodeMount): string {
    return join(this.#options.compileCacheDir, code.codeId);
  }
}
