import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { type AppRequest, type FunctionId, type FunctionManifest, type IdSource, type LoadMessage } from "@samovar/protocol";
import { FunctionRuntime, canonicalJson, hostCeiling, runHooks, type ContainerHost, type FunctionSpec, type PoolServices } from "@samovar/scheduler";
import type { CodeMount } from "@samovar/runtime";
import type { BuildStore } from "../code/build-store.ts";
import type { CodeHold, CodeStore } from "../code/code-store.ts";
import { markUsed } from "../home/retention.ts";
import type { Session } from "./session.ts";

export interface DeployerServices {
  readonly host: ContainerHost;
  readonly ids: IdSource;
  readonly code: CodeStore;
  readonly builds: BuildStore;
  /** Where V8's compile caches lie. */
  readonly compileCacheDir: string;
}

interface Prepared {
  readonly manifest: FunctionManifest;
  readonly functionId: FunctionId;
  readonly name: string;
  readonly code: CodeMount;
  /** Code on top of what onBuild left, by the constructor arguments it was built with. */
  readonly builtCode: ReadonlyMap<string, CodeMount>;
  readonly load: Omit<LoadMessage, "mode" | "bundlePath" | "parameters">;
}

/** What one `prepare` works on. */
interface Making {
  readonly session: Session;
  readonly request: AppRequest;
  readonly hold: CodeHold;
}

export interface PreparedApp {
  create(onUse: () => void): FunctionRuntime[];
  readonly deployed: Session["deployed"];
  /** Its functions are closed, or will not be created: its code may go. */
  release(): void;
}

/** Sessions are `run` and `serve`: their callers see stacks. */
const DEVELOPMENT = true;

/**
 * Makes the next version of a session's app: places its code, runs what onBuild and onDeploy hooks must run, and only
 * then makes its functions. Whatever fails, nothing was changed.
 */
export class AppDeployer {
  readonly #services: DeployerServices;
  readonly #pools: PoolServices;

  constructor(services: DeployerServices) {
    this.#services = services;
    this.#pools = { host: services.host, newContainerId: () => services.ids("container"), random: Math.random };
  }

  async prepare(session: Session, request: AppRequest): Promise<PreparedApp> {
    const hold = this.#services.code.hold();
    try {
      return await this.#prepare({ session, request, hold });
    } catch (error) {
      hold.release();
      throw error;
    }
  }

  async #prepare(making: Making): Promise<PreparedApp> {
    const { ids, host } = this.#services;
    const { session, request, hold } = making;
    const version = session.version + 1;
    const code = await hold.place(request.code);
    const compileCacheDir = join(this.#services.compileCacheDir, code.codeId);
    await markUsed(compileCacheDir, host.clock.now());
    const named = request.manifest.functions.map((manifest) => ({ manifest, functionId: ids("function"), name: this.#publicName(session, manifest) }));
    for (const { functionId } of named) session.functionIds.add(functionId);
    const functionIds = Object.fromEntries(named.map(({ manifest, functionId }) => [manifest.name, functionId]));
    const prepared: Prepared[] = [];
    for (const { manifest, functionId, name } of named) {
      const load: Prepared["load"] = {
        app: request.manifest.app,
        functionId,
        functionName: name,
        functionKind: manifest.kind,
        deployment: name,
        version,
        exportName: manifest.exportName,
        compileCacheDir,
        onDeployValue: undefined,
        workers: manifest.options.workers,
        concurrencyMax: manifest.options.concurrencyMax,
        timeoutMs: manifest.options.timeoutMs,
        stopGracePeriodMs: manifest.options.stopGracePeriodMs,
        functionIds,
        development: DEVELOPMENT,
      };
      const builtCode = await this.#build(making, manifest, code, load);
      // Arguments that were not built with find what the first build left.
      prepared.push({ manifest, functionId, name, load, builtCode, code: builtCode.values().next().value ?? code });
    }
    const deployed = await this.#deploy(making, prepared);
    return {
      deployed,
      release: () => hold.release(),
      create: (onUse) =>
        prepared.map((one) => new FunctionRuntime(this.#toSpec(session, request, version, one, deployed.values.get(one.manifest.name)), this.#pools, onUse)),
    };
  }

  #publicName(session: Session, manifest: FunctionManifest): string {
    return session.request.kind === "serve" ? `${manifest.name}-dev` : manifest.name;
  }

  /** onBuild: once per image content, hook text and constructor arguments asked for. The code that follows lies on top of what it wrote. */
  async #build(making: Making, manifest: FunctionManifest, code: CodeMount, load: Prepared["load"]): Promise<Map<string, CodeMount>> {
    const built = new Map<string, CodeMount>();
    if (manifest.hooks.onBuild.length === 0) return built;
    for (const parameters of manifest.builds) {
      built.set(canonicalJson(parameters), await this.#buildOnce(making, manifest, code, { ...load, parameters }));
    }
    return built;
  }

  async #buildOnce(
    { session, request, hold }: Making,
    manifest: FunctionManifest,
    code: CodeMount,
    load: Omit<LoadMessage, "mode" | "bundlePath">,
  ): Promise<CodeMount> {
    const { builds, host, ids } = this.#services;
    const { parameters } = load;
    const key = builds.key(load.app, manifest, parameters);
    const what = `onBuild of ${load.functionName}${parameters.length > 0 ? ` with ${JSON.stringify(parameters)}` : ""}`;
    let build = request.forceBuild ? undefined : await builds.find(key);
    if (build) {
      session.emit({ type: "note", message: `${what} cached from ${new Date(build.builtAtMs).toISOString()}` });
    } else {
      session.emit({ type: "progress", message: what });
      await runHooks(host, {
        containerId: ids("container"),
        mode: "build",
        manifest,
        code,
        load,
        signal: session.abort.signal,
        keep: async (workDir) => void (build = await builds.keep(key, workDir, code, host.clock.now())),
      });
    }
    return build ? hold.onTopOf(code, `${key}-${build.builtAtMs}`, build.dir) : code;
  }

  /** onDeploy: once per version; under `serve` once per session and again when it changed. */
  async #deploy({ session, request }: Making, prepared: readonly Prepared[]): Promise<Session["deployed"]> {
    const key = request.deployKey ?? null;
    const unchanged = key !== null && key === session.deployed.key;
    const values = new Map<string, unknown>();
    for (const { manifest, code, load } of prepared) {
      if (manifest.hooks.onDeploy.length === 0) continue;
      if (unchanged && session.deployed.values.has(manifest.name)) {
        values.set(manifest.name, session.deployed.values.get(manifest.name));
        continue;
      }
      session.emit({ type: "progress", message: `onDeploy of ${load.functionName}` });
      const { host, ids } = this.#services;
      values.set(
        manifest.name,
        await runHooks(host, {
          containerId: ids("container"),
          mode: "deploy",
          manifest,
          code,
          load: { ...load, parameters: [] },
          signal: session.abort.signal,
        }),
      );
    }
    return { key, values };
  }

  #toSpec(
    session: Session,
    request: AppRequest,
    version: number,
    { manifest, functionId, name, code, builtCode, load }: Prepared,
    onDeployValue: unknown,
  ): FunctionSpec {
    const host = { memoryMib: totalmem() / 1024 / 1024, cpuMillis: availableParallelism() * 1_000 };
    return {
      functionId,
      name,
      app: request.manifest.app,
      version,
      manifest,
      code,
      builtCode,
      load: { ...load, onDeployValue },
      session: session.request.label,
      development: DEVELOPMENT,
      hostCeiling: hostCeiling(host, { memoryMib: manifest.options.memoryRequestMib, cpuMillis: manifest.options.cpuRequestMillis }),
      // `run` fails at the first; `serve` waits for an edit.
      startPolicy: { failuresUntilFailing: 1, retries: false },
      keepsFloor: session.request.kind !== "run",
    };
  }
}
