import { join } from "node:path";
import { FakeClock, silentLogger } from "@samovar/kit";
import { DEFAULT_OPTIONS, createCountingIds, type AppRequest, type FunctionKind, type FunctionManifest, type IdSource } from "@samovar/protocol";
import { createFakeDriver } from "@samovar/runtime";
import { FunctionRuntime, HostCapacity, WorkerHub, type ContainerHost } from "@samovar/scheduler";
import { BlobStore } from "../code/blob-store.ts";
import { BuildStore } from "../code/build-store.ts";
import { CodeStore } from "../code/code-store.ts";
import { AppMaker } from "../apps/app-maker.ts";
import { codeOf, piecesOf, sha256 } from "./code.fixture.ts";
import type { Serving } from "../tasks/serving.ts";

const CALLABLE = { streaming: false, batch: null, inputSchema: null, outputSchema: null };

export function manifestOf(name: string, kind: FunctionKind = "function"): FunctionManifest {
  return {
    name,
    kind,
    exportName: name,
    options: DEFAULT_OPTIONS,
    hooks: { onBuild: [], onDeploy: [], onStart: [], onStop: [] },
    handler: kind === "cls" ? null : CALLABLE,
    methods: kind === "cls" ? { run: { ...CALLABLE, route: null, timeoutMs: undefined } } : {},
    schedule: null,
    requiresParameters: false,
    builds: [[]],
  };
}

/** Containers that can't be started: an input that reaches a pool fails with `start_failed`. */
function createHost(): ContainerHost {
  const clock = new FakeClock();
  const driver = createFakeDriver({ clock, runWorker: () => {}, accept: () => {} });
  return {
    driver: { ...driver, info: driver.info, start: () => Promise.reject(new Error("No containers here")) },
    hub: new WorkerHub({ clock, logger: silentLogger }),
    capacity: new HostCapacity({ memoryMib: 1_024, cpuMillis: 1_000, gpus: [] }, clock),
    clock,
    logger: silentLogger,
    serverAddress: "",
    serverUrl: () => "",
    containerChanged() {},
    log() {},
    call: () => {
      throw new Error("No containers here");
    },
  };
}

export function functionOf(name: string, options: { readonly app?: string; readonly kind?: FunctionKind; readonly ids?: IdSource } = {}): FunctionRuntime {
  const { app = "app", kind = "function", ids = createCountingIds() } = options;
  const functionId = ids("function");
  const manifest = manifestOf(name, kind);
  const { concurrencyMax, timeoutMs, stopGracePeriodMs } = manifest.options;
  return new FunctionRuntime(
    {
      functionId,
      name,
      app,
      version: 1,
      manifest,
      code: { codeId: "code", sourceDir: "/nowhere", entry: "app.mjs", nodeModules: [] },
      builtCode: new Map(),
      load: {
        app,
        functionId,
        functionName: name,
        functionKind: kind,
        deployment: name,
        version: 1,
        exportName: name,
        compileCacheDir: null,
        onDeployValue: undefined,
        workers: 1,
        concurrencyMax,
        timeoutMs,
        callbackUrl: null,
        stopGracePeriodMs,
        functionIds: {},
        development: true,
      },
      session: null,
      development: true,
      queuePrefix: "",
      keepsFloor: true,
      startPolicy: { failuresUntilFailing: 1, retries: false },
    },
    { host: createHost(), newContainerId: () => ids("container"), random: () => 0, callEnded() {} },
    () => {},
  );
}

/** Contents that can be held back, to keep a `putApp` going on. */
class GatedBlobs extends BlobStore {
  gate: Promise<void> = Promise.resolve();
  onAsked: () => void = () => {};
  /** How often contents were asked for. */
  asked = 0;

  override async missing(all: readonly string[]): Promise<string[]> {
    this.asked++;
    this.onAsked();
    await this.gate;
    return super.missing(all);
  }
}

export interface TestMaker {
  readonly maker: AppMaker;
  readonly blobs: GatedBlobs;
  readonly code: CodeStore;
  /** A request for an app with functions of these names, whose contents are there. */
  request(names: readonly string[], source?: string): Promise<AppRequest>;
}

/** A maker on real stores in `root`; its functions never get a container. */
export function createMaker(root: string): TestMaker {
  const host = createHost();
  const blobs = new GatedBlobs(join(root, "blobs"), host.clock);
  const code = new CodeStore(join(root, "code"), blobs, silentLogger);
  const builds = new BuildStore(join(root, "builds"), "image", host.clock);
  return {
    maker: new AppMaker({ host, ids: createCountingIds(), code, builds, compileCacheDir: join(root, "compile"), callEnded() {} }),
    blobs,
    code,
    async request(names, source = "export {};") {
      const { object } = codeOf({ "app.mjs": source });
      await blobs.put(sha256(source), piecesOf(source));
      return { manifest: { manifestVersion: 1, app: "app", functions: names.map((name) => manifestOf(name)), hasMain: false }, code: object };
    },
  };
}

/** For tests that are not about tasks. */
export function createNoServing(): Serving {
  return { began() {}, rests() {}, ended: () => Promise.resolve(), versionEnded: () => Promise.resolve() };
}
