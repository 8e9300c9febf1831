import {
  ITEM_CONTENT_TYPES,
  ItemDecoder,
  createCountingIds,
  decodeValue,
  encodeValue,
  type ContainerInfo,
  type FunctionManifest,
  type FunctionOptions,
  type LogLine,
  type SamovarError,
  type StopReason,
} from "@samovar/protocol";
import { silentLogger } from "@samovar/kit";
import {
  FunctionRuntime,
  HostCapacity,
  runHooks,
  type Container,
  type ContainerHost,
  type HostSize,
  type InputFailure,
  type InputSink,
  type StartPolicy,
  type StartedInfo,
} from "@samovar/scheduler";
import { buildApp, type BuiltApp } from "./app-under-test.ts";
import type { LifecycleSetting } from "./setting.ts";

export interface CallOptions {
  readonly method?: string;
  readonly with?: readonly unknown[];
  readonly headless?: boolean;
  /** As a handle's call, to which the retry policy applies. Default true. */
  readonly retries?: boolean;
}

/** One call in a test: its result or failure, its items, and its caller's hold on it. */
export interface TestCall {
  /** The value; for a generator all its items. Rejects with the error that the caller sees. */
  readonly result: Promise<unknown>;
  /** As soon as it was given to a worker. */
  readonly started: Promise<StartedInfo>;
  readonly items: readonly unknown[];
  readonly failure: InputFailure | null;
  hangUp(): void;
  cancel(): void;
}

/** Policy of deployed functions: tries again by itself. */
export const RETRYING: StartPolicy = { failuresUntilFailing: 3, retries: true };

/** What the cases' containers share: room for 16 of one core and 512 MiB, whatever this machine has. */
const HOST = { memoryMib: 10_240, cpuMillis: 4_000 };

/** An app that is served in a setting, without HTTP: calls go straight to its pools. */
export class RunningApp {
  readonly setting: LifecycleSetting;
  readonly events: string[] = [];
  readonly lines: LogLine[] = [];
  readonly containers = new Map<string, Container>();
  readonly #built: BuiltApp;
  readonly #host: ContainerHost;
  readonly #functions = new Map<string, FunctionRuntime>();
  readonly #ids = createCountingIds();
  readonly #waiters = new Set<() => void>();

  private constructor(setting: LifecycleSetting, built: BuiltApp, size: Partial<HostSize>) {
    this.setting = setting;
    this.#built = built;
    this.#host = {
      driver: setting.driver,
      hub: setting.hub,
      capacity: new HostCapacity({ ...HOST, gpus: setting.driver.info.gpus, ...size }, setting.clock),
      clock: setting.clock,
      logger: silentLogger,
      serverAddress: setting.serverAddress,
      serverUrl: () => "",
      containerChanged: (container) => {
        this.containers.set(container.id, container);
        this.#wake();
      },
      log: (line) => {
        this.lines.push(line);
        if (line.stream === "log" && line.level === "info") this.events.push(line.text);
        this.#wake();
      },
      call: () => {
        throw new Error("Cases of the lifecycle call no other functions");
      },
    };
  }

  /** Builds and deploys: onBuild and onDeploy hooks run first, in containers of their own. */
  static async start(
    setting: LifecycleSetting,
    source: string,
    options: { readonly startPolicy?: StartPolicy; readonly override?: Partial<FunctionOptions>; readonly host?: Partial<HostSize> } = {},
  ): Promise<RunningApp> {
    const built = await buildApp(source);
    setting.setApp(built);
    const app = new RunningApp(setting, built, options.host ?? {});
    try {
      for (const original of built.manifest.functions)
        await app.#deploy({ ...original, options: { ...original.options, ...options.override } }, options.startPolicy ?? RETRYING);
    } catch (error) {
      await built.dispose();
      throw error;
    }
    return app;
  }

  async #deploy(manifest: FunctionManifest, startPolicy: StartPolicy): Promise<void> {
    const code = { codeId: "code", sourceDir: this.#built.sourceDir, entry: this.#built.entry, nodeModules: [] };
    const { options } = manifest;
    const functionId = this.#ids("function");
    const load = {
      app: this.#built.manifest.app,
      functionId,
      functionName: manifest.name,
      functionKind: manifest.kind,
      deployment: manifest.name,
      version: 1,
      exportName: manifest.exportName,
      compileCacheDir: null,
      onDeployValue: undefined as unknown,
      workers: options.workers,
      concurrencyMax: options.concurrencyMax,
      timeoutMs: options.timeoutMs,
      callbackUrl: null,
      stopGracePeriodMs: options.stopGracePeriodMs,
      functionIds: {},
      development: true,
    };
    for (const mode of ["build", "deploy"] as const) {
      if (manifest.hooks[mode === "build" ? "onBuild" : "onDeploy"].length === 0) continue;
      const value = await runHooks(this.#host, { containerId: this.#ids("container"), mode, manifest, code, load: { ...load, parameters: [] } });
      if (mode === "deploy") load.onDeployValue = value;
    }
    this.#functions.set(
      manifest.name,
      new FunctionRuntime(
        {
          functionId,
          name: manifest.name,
          app: load.app,
          version: 1,
          manifest,
          code,
          builtCode: new Map(),
          load,
          session: null,
          development: true,
          queuePrefix: "",
          keepsFloor: true,
          startPolicy,
        },
        { host: this.#host, newContainerId: () => this.#ids("container"), random: () => 0, callEnded() {} },
        () => {},
      ),
    );
  }

  get(name: string): FunctionRuntime {
    const entry = this.#functions.get(name);
    if (!entry) throw new Error(`The app has no function ${name}`);
    return entry;
  }

  call(name: string, input?: unknown, options: CallOptions = {}): TestCall {
    const settled = Promise.withResolvers<unknown>();
    const started = Promise.withResolvers<StartedInfo>();
    settled.promise.catch(() => {});
    const items: unknown[] = [];
    const decoder = new ItemDecoder();
    let streaming = false;
    const call = { failure: null as InputFailure | null };
    const sink: InputSink = {
      started: (info) => {
        started.resolve(info);
        this.#wake();
      },
      result: (head, body) => {
        settled.resolve(head.status === 204 ? undefined : decodeValue(body));
        this.#wake();
      },
      head: (head) => {
        streaming = head.headers.some(([key, value]) => key.toLowerCase() === "content-type" && value.startsWith(ITEM_CONTENT_TYPES.values));
      },
      data: (chunk) => {
        try {
          if (streaming) items.push(...decoder.push(chunk));
        } catch (error) {
          settled.reject(error);
        }
        this.#wake();
        return true;
      },
      end: () => {
        try {
          if (streaming) decoder.finish();
          settled.resolve(items);
        } catch (error) {
          settled.reject(error);
        }
        this.#wake();
      },
      error: (failure) => {
        call.failure = failure;
        settled.reject(failure.error);
        this.#wake();
      },
    };
    const ticket = this.get(name).submit(
      options.with ?? [],
      {
        taskId: this.#ids("task"),
        method: options.method ?? null,
        encoding: input === undefined ? "none" : "value",
        reply: "value",
        stream: "values",
        request: null,
        body: input === undefined ? null : encodeValue(input),
        bodyStream: null,
        retries: options.retries ?? true,
        headless: options.headless ?? false,
      },
      sink,
    );
    return {
      result: settled.promise,
      started: started.promise,
      items,
      get failure() {
        return call.failure;
      },
      hangUp: () => ticket.cancel("disconnected"),
      cancel: () => ticket.cancel("cancelled"),
    };
  }

  /** The error of a call that must fail. */
  async errorOf(call: TestCall): Promise<SamovarError> {
    return call.result.then(
      (value) => {
        throw new Error(`The call succeeded with ${JSON.stringify(value)}`);
      },
      (error: SamovarError) => error,
    );
  }

  /** Resolves when this holds; it is asked again at every event of the app, never by time. */
  async until(what: string, holds: () => boolean): Promise<void> {
    if (holds()) return;
    await new Promise<void>((resolve, reject) => {
      const limit = setTimeout(() => {
        this.#waiters.delete(check);
        reject(
          new Error(
            `Never happened: ${what}. Events: ${JSON.stringify(this.events)}. Containers: ${JSON.stringify(this.infos().map(({ id, state, reason }) => ({ id, state, reason })))}`,
          ),
        );
      }, 60_000);
      const check = (): void => {
        if (!holds()) return;
        clearTimeout(limit);
        this.#waiters.delete(check);
        resolve();
      };
      this.#waiters.add(check);
    });
  }

  event(text: string, times = 1): Promise<void> {
    return this.until(`event ${text}${times > 1 ? ` ${times} times` : ""}`, () => this.events.filter((event) => event === text).length >= times);
  }

  infos(): ContainerInfo[] {
    return [...this.containers.values()].map((container) => container.info());
  }

  /** Containers that serve or will. */
  active(): Container[] {
    return [...this.containers.values()].filter((container) => container.isActive);
  }

  ended(count = this.containers.size): Promise<void> {
    return this.until(`${count} containers ended`, () => this.infos().filter((info) => info.endedAtMs !== null).length >= count);
  }

  /** Moves the fake clock on, letting what is under way happen before and after. */
  async advance(byMs: number): Promise<void> {
    if (!this.setting.fake) throw new Error("Time is real here");
    await this.settle();
    this.setting.fake.clock.advance(byMs);
    await this.settle();
  }

  /** What is under way in this process (promises, immediates, connections in memory) has happened. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  async close(reason: StopReason = "shutdown", drainMs: number | null = 0): Promise<void> {
    await Promise.all([...this.#functions.values()].map((entry) => entry.close(reason, drainMs)));
  }

  async dispose(): Promise<void> {
    for (const container of this.containers.values()) container.kill("the case is over");
    await this.close();
    await this.#built.dispose();
  }

  #wake(): void {
    for (const check of this.#waiters) check();
  }
}
