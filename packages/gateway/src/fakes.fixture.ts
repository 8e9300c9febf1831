import {
  DEFAULT_OPTIONS,
  SamovarError,
  type AnswerHead,
  type ContainerInfo,
  type FunctionId,
  type FunctionInfo,
  type FunctionKind,
  type FunctionManifest,
  type FunctionOptions,
  type LogLine,
  type MethodManifest,
  type ScalingPatch,
  type ServerInfo,
  type SessionEvent,
} from "@samovar/protocol";
import type { ControlPlane, FunctionEntry, FunctionTable, InputRequest, InputSink, InputTicket, LogQuery, StartedInfo } from "@samovar/scheduler";
import { hashToken } from "@samovar/kit";
import { FakeDeployments, createFakeTokens } from "./api/fake-deployments.fixture.ts";
import { FakeTasks, createFakeCallbacks, createFakeSchedules } from "./fake-tasks.fixture.ts";
import type { TokenRecord } from "@samovar/storage";
import { hostLabel } from "./host.ts";

/** What a fake function does with an input. */
export type Behaviour = (call: FakeCall) => void;

export interface FakeCall {
  readonly parameters: readonly unknown[];
  readonly input: InputRequest;
  readonly sink: InputSink;
}

export const STARTED: StartedInfo = { containerId: "ct_1", coldStart: false, queuedMs: 0.25, phases: [] };
export const JSON_HEAD: AnswerHead = { status: 200, headers: [["content-type", "application/json"]] };

/** Answers at once, with the body it was given. */
export const echo: Behaviour = ({ input, sink }) => {
  sink.started(STARTED);
  sink.result(JSON_HEAD, input.body ?? Buffer.from("null"));
};

export const failWith =
  (error: SamovarError, thrown: { name: string; message: string; stack?: string } | null = null): Behaviour =>
  ({ sink }) =>
    sink.error({ error, thrown, containerId: null, attempt: 1, retryable: false });

const CALLABLE = { streaming: false, batch: null, inputSchema: null, outputSchema: null };

export interface FakeFunctionOptions {
  readonly kind?: FunctionKind;
  readonly name?: string;
  readonly app?: string;
  readonly version?: number;
  readonly options?: Partial<FunctionOptions>;
  readonly methods?: Readonly<Record<string, { readonly route?: string }>>;
  readonly requiresParameters?: boolean;
  readonly development?: boolean;
  readonly run?: Behaviour;
}

/** A function whose pool is a callback, and which keeps what it was asked and what was cancelled. */
export class FakeFunction implements FunctionEntry {
  readonly functionId: FunctionId;
  readonly name: string;
  readonly app: string;
  readonly version: number;
  readonly manifest: FunctionManifest;
  readonly development: boolean;
  readonly lastUsedAtMs = 0;
  readonly calls: FakeCall[] = [];
  readonly cancelled: string[] = [];
  resumed = 0;
  run: Behaviour;
  #watchers: (() => void)[] = [];

  constructor(options: FakeFunctionOptions = {}) {
    this.name = options.name ?? "predict";
    this.app = options.app ?? "app";
    this.version = options.version ?? 1;
    this.functionId = `fn_${this.name}_${this.version}` as FunctionId;
    this.development = options.development ?? false;
    this.run = options.run ?? echo;
    const methods: Record<string, MethodManifest> = {};
    for (const [name, method] of Object.entries(options.methods ?? {})) methods[name] = { ...CALLABLE, route: method.route ?? null, timeoutMs: undefined };
    this.manifest = {
      name: this.name,
      kind: options.kind ?? "endpoint",
      exportName: this.name,
      options: { ...DEFAULT_OPTIONS, ...options.options },
      hooks: { onBuild: [], onDeploy: [], onStart: [], onStop: [] },
      handler: options.kind === "cls" ? null : CALLABLE,
      schedule: options.kind === "schedule" ? { cron: "@daily", everyMs: null, timezone: null, overlap: "skip", catchUp: "last" } : null,
      methods,
      requiresParameters: options.requiresParameters ?? false,
      builds: [[]],
    };
  }

  submit(parameters: readonly unknown[], input: InputRequest, sink: InputSink): InputTicket {
    const call = { parameters, input, sink };
    this.calls.push(call);
    this.run(call);
    this.#changed();
    return {
      cancel: (reason) => {
        this.cancelled.push(reason);
        this.#changed();
      },
      resume: () => {
        this.resumed++;
        this.#changed();
      },
    };
  }

  /** Resolves as soon as `condition` holds; it is looked at after every call, cancel and resume. */
  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => {
      const watch = (): void => {
        if (condition()) resolve();
        else this.#watchers.push(watch);
      };
      this.#watchers.push(watch);
    });
  }

  info(): FunctionInfo {
    return {
      id: this.functionId,
      name: this.name,
      kind: this.manifest.kind,
      app: this.app,
      version: this.version,
      session: null,
      state: "ready",
      reason: null,
      containers: { starting: 0, ready: 1, draining: 0 },
      pending: 0,
      running: 0,
    };
  }

  #changed(): void {
    for (const watch of this.#watchers.splice(0)) watch();
  }
}

/** Functions by name; `put` gives a name another function, as a deploy does. */
export interface FakeTable extends FunctionTable {
  put(entry: FakeFunction): void;
}

export function createFakeTable(...given: readonly FakeFunction[]): FakeTable {
  const entries: FakeFunction[] = [];
  const active = new Map<string, FakeFunction>();
  let generation = 0;
  const put = (entry: FakeFunction): void => {
    entries.push(entry);
    active.set(entry.name.toLowerCase(), entry);
    generation++;
  };
  for (const entry of given) put(entry);
  return {
    byName(kind, name, version) {
      const key = name.toLowerCase();
      const entry = version === undefined ? active.get(key) : entries.find((other) => other.name.toLowerCase() === key && other.version === version);
      return entry?.manifest.kind === kind ? entry : undefined;
    },
    byId: (functionId) => entries.find((entry) => entry.functionId === functionId),
    holder: (name) => active.get(name.toLowerCase()),
    byHost(label) {
      const [, name, version] = /^(.+?)(?:--([1-9]\d*))?$/.exec(label)!;
      const named = entries.filter((entry) => hostLabel(entry.name) === name);
      return version === undefined ? named.at(-1) : named.find((entry) => entry.version === Number(version));
    },
    get generation() {
      return generation;
    },
    list: () => entries,
    put,
  };
}

export const LINE: LogLine = {
  atMs: 1,
  containerId: "ct_1",
  function: "predict",
  workerIndex: 0,
  stream: "stdout",
  level: "info",
  source: { kind: "worker" },
  text: "hello",
};

export const CONTAINER: ContainerInfo = {
  id: "ct_1",
  function: "predict",
  functionId: "fn_1",
  app: "app",
  version: 1,
  driver: "fake",
  state: "ready",
  reason: null,
  startedAtMs: 1,
  endedAtMs: null,
  pid: 2,
  workers: 1,
  inputs: { running: 0, done: 1, failed: 0 },
  parameters: [],
  phases: [],
};

const SERVER: ServerInfo = {
  version: "0.1.0",
  pid: 1,
  startedAtMs: 1,
  home: "/home",
  url: "http://127.0.0.1:8700",
  embedded: true,
  driver: {
    name: "fake",
    capabilities: {
      isolation: "none",
      ownRoot: false,
      memoryLimit: "none",
      cpuLimit: "none",
      processLimit: "none",
      killTree: true,
      networkModes: ["host"],
      checkpoint: false,
      gpu: false,
      diskLimit: "none",
      userNamespace: false,
      exec: false,
      takeBack: false,
    },
    missing: [],
    gpus: [],
  },
};

/** A control plane that keeps what it was asked. */
export class FakeControl implements ControlPlane {
  readonly asked: unknown[] = [];
  readonly deployments = new FakeDeployments(this.asked);
  readonly tokens = createFakeTokens(this.asked);
  readonly tasks = new FakeTasks(this.asked);
  readonly schedules = createFakeSchedules(this.asked);
  readonly callbacks = createFakeCallbacks(this.asked);
  readonly blobs = new Map<string, Buffer>();
  readonly closedHolds: string[] = [];
  sessionListener: ((event: SessionEvent) => void) | null = null;
  logSink: { line(line: LogLine): void; end(): void } | null = null;
  onHoldClosed: () => void = () => {};
  onLogsStopped: () => void = () => {};
  logsRun: (query: LogQuery, sink: { line(line: LogLine): void; end(): void }) => void = (query, sink) => {
    sink.line(LINE);
    if (!query.follow) sink.end();
  };

  server(): ServerInfo {
    return SERVER;
  }
  shutdown(reason: string): void {
    this.asked.push(["shutdown", reason]);
  }
  async missingBlobs(sha256: readonly string[]): Promise<readonly string[]> {
    return sha256.filter((hash) => !this.blobs.has(hash));
  }
  async putBlob(sha256: string, content: AsyncIterable<Buffer>): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of content) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    if (hashToken(body.toString("latin1")) !== sha256) throw new SamovarError("invalid_request", "The content does not hash to its name");
    this.blobs.set(sha256, body);
  }
  openSession(_request: unknown, listener: (event: SessionEvent) => void) {
    this.sessionListener = listener;
    listener({ type: "opened", sessionId: "ss_1" });
    return {
      sessionId: "ss_1",
      close: () => {
        this.closedHolds.push("ss_1");
        this.onHoldClosed();
      },
    };
  }
  async putApp(sessionId: string, request: unknown) {
    this.asked.push(["putApp", sessionId, request]);
    return { app: "app", functions: [] };
  }
  async closeSession(sessionId: string, reason: string, drainMs: number): Promise<void> {
    if (sessionId !== "ss_1") throw new SamovarError("not_found", `No session has the id "${sessionId}"`);
    this.asked.push(["closeSession", sessionId, reason, drainMs]);
  }
  functions() {
    return [new FakeFunction().info()];
  }
  async containers(options: { readonly all: boolean }) {
    this.asked.push(["containers", options]);
    return [CONTAINER];
  }
  async container(containerId: string) {
    return containerId === CONTAINER.id ? CONTAINER : undefined;
  }
  stopContainer(containerId: string, options: { readonly force: boolean }): boolean {
    this.asked.push(["stopContainer", containerId, options]);
    return containerId === CONTAINER.id;
  }
  exec(containerId: string): Promise<never> {
    return Promise.reject(new SamovarError("unsupported", `Nothing runs in ${containerId} here`));
  }
  async scale(idOrName: string, patch: ScalingPatch) {
    this.asked.push(["scale", idOrName, patch]);
    return new FakeFunction().info();
  }
  async backup(to: string): Promise<void> {
    this.asked.push(["backup", to]);
  }
  async logNames() {
    return ["predict", "hello-dev"];
  }
  logs(query: LogQuery, sink: { line(line: LogLine): void; end(): void }): () => void {
    this.asked.push(["logs", query]);
    this.logSink = sink;
    this.logsRun(query, sink);
    return () => this.onLogsStopped();
  }
}

export const ADMIN_TOKEN = "admin-token";
export const INVOKE_TOKEN = "invoke-token";
export const DEPLOY_TOKEN = "deploy-token";

const token = (text: string, scope: "admin" | "invoke" | "deploy"): TokenRecord => ({
  id: `to_${scope}`,
  hash: hashToken(text),
  name: scope,
  scopes: [scope],
  app: null,
  expiresAtMs: null,
  createdAtMs: 0,
});

export const TOKENS: readonly TokenRecord[] = [token(ADMIN_TOKEN, "admin"), token(INVOKE_TOKEN, "invoke"), token(DEPLOY_TOKEN, "deploy")];
