import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ContainerInfo, DeployEvent, DeploymentDetail, DeployRequest, FunctionInfo, LogLine, ServerInfo, TokenInfo } from "@samovar/protocol";
import { answerTasks, json, problem, type TaskServerData } from "./task-server.fixture.ts";

/** A server that speaks as much of the control API as the commands that look at one need, from data of the test. */
export interface ControlServer {
  readonly url: string;
  /** `METHOD path`, in order. */
  readonly requests: string[];
  /** What was sent with them, where that was JSON. */
  readonly bodies: unknown[];
  /** Resolves when a client left before its answer was over. */
  readonly hungUp: Promise<void>;
  dispose(): Promise<void>;
}

export interface ControlServerData extends TaskServerData {
  readonly functions?: readonly FunctionInfo[];
  readonly containers?: readonly ContainerInfo[];
  readonly logs?: readonly LogLine[];
  /** Keeps streams open after what is in them. */
  readonly followsForever?: boolean;
  /** What a backup does; it may throw a detail for a conflict. */
  readonly backup?: (to: string) => void;
  readonly embedded?: boolean;
  readonly deployments?: readonly DeploymentDetail[];
  readonly tokens?: readonly TokenInfo[];
  /** What a deploy answers. Without a last event the answer stays open. */
  readonly deploy?: (request: DeployRequest) => readonly DeployEvent[];
}

export const TOKEN = "smv_test";

export async function startControlServer(data: ControlServerData = {}, port = 0): Promise<ControlServer> {
  const requests: string[] = [];
  const bodies: unknown[] = [];
  const hungUp = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    void (async () => {
      requests.push(`${request.method} ${request.url}`);
      if (request.headers.authorization !== `Bearer ${TOKEN}`) return problem(response, 401, "unauthorized", "The token is unknown");
      const body = await readJson(request);
      if (body !== undefined) bodies.push(body);
      response.once("close", () => {
        if (!response.writableEnded) hungUp.resolve();
      });
      const url = new URL(request.url!, "http://localhost");
      const path = url.pathname.split("/").slice(3);
      if (answerTasks({ method: request.method!, url, path, accept: request.headers.accept ?? "", body, response, data })) return;
      answer({ url, method: request.method!, body, response, data, self: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    })();
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    bodies,
    hungUp: hungUp.promise,
    async dispose() {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  if (chunks.length === 0 || request.headers["content-type"] !== "application/json") return undefined;
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

interface Asked {
  readonly url: URL;
  readonly method: string;
  readonly body: unknown;
  readonly response: ServerResponse;
  readonly data: ControlServerData;
  readonly self: string;
}

function answer(asked: Asked): void {
  const { url, method, response, data, self } = asked;
  const containers = data.containers ?? [];
  const [, noun, id, verb] = /^\/api\/v1\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
  if (noun === "server") return json(response, serverInfo(self, data.embedded));
  if (noun === "backup") return answerBackup(asked);
  if (noun === "functions" && verb === "scaling") return json(response, data.functions?.[0] ?? functionInfo());
  if (noun === "functions") return json(response, { functions: data.functions ?? [] });
  if (noun === "containers" && id === undefined) return json(response, { containers });
  if (noun === "blobs") return json(response, method === "PUT" ? {} : { sha256: [] });
  if (noun === "deployments" || noun === "apps") return answerDeployments(asked, id, verb);
  if (noun === "tokens") return answerTokens(asked, id);
  if (url.pathname.endsWith("/logs")) {
    const name = url.searchParams.get("name");
    if (name !== null && data.functions?.every((fn) => fn.name !== name)) return problem(response, 404, "not_found", `No function is named "${name}"`);
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    for (const line of data.logs ?? []) response.write(`${JSON.stringify(line)}\n`);
    return data.followsForever ? undefined : void response.end();
  }
  const found = containers.find((container) => container.id === id);
  if (!found) return problem(response, 404, "not_found", `There is no container ${id}`);
  if (method === "POST") return json(response, {}, 202);
  json(response, found);
}

function answerDeployments({ url, method, body, response, data }: Asked, name: string | undefined, verb: string | undefined): void {
  const deployments = data.deployments ?? [];
  if (name === undefined && method === "GET") return json(response, { deployments });
  if (name === undefined) {
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    let last: DeployEvent | undefined;
    for (last of data.deploy?.(body as DeployRequest) ?? []) response.write(`${JSON.stringify(last)}\n`);
    return last?.type === "deployed" || last?.type === "failed" ? void response.end() : response.flushHeaders();
  }
  if (url.pathname.startsWith("/api/v1/apps/")) return json(response, { deployments });
  const found = deployments.find((each) => each.name === name);
  if (!found) return problem(response, 404, "not_found", `No deployment is named "${name}". Did you mean predict?`);
  if (method === "DELETE") return void response.writeHead(204).end();
  const { version } = (body ?? {}) as { version?: number };
  if (verb === "rollback") return json(response, { ...found, activeVersion: version ?? found.activeVersion - 1 });
  json(response, verb === "stop" ? { ...found, state: "stopped" } : found);
}

function answerTokens({ method, body, response, data }: Asked, id: string | undefined): void {
  const tokens = data.tokens ?? [];
  if (method === "GET") return json(response, { tokens });
  if (method === "POST") return json(response, { ...tokenInfo(body as Partial<TokenInfo>), token: "smv_secret" }, 201);
  if (!tokens.some((token) => token.id === id || token.name === id)) return problem(response, 404, "not_found", `No token is named "${id}"`);
  response.writeHead(204).end();
}

function answerBackup({ body, response, data }: Asked): void {
  try {
    data.backup?.((body as { to: string }).to);
    response.writeHead(204).end();
  } catch (error) {
    problem(response, 409, "conflict", (error as Error).message);
  }
}

export function serverInfo(url: string, embedded = false): ServerInfo {
  return {
    version: "0.1.0",
    pid: 4_242,
    startedAtMs: Date.now() - 90_000,
    home: "/srv/samovar",
    url,
    embedded,
    driver: {
      name: "process",
      capabilities: {
        isolation: "none",
        ownRoot: false,
        memoryLimit: "watched",
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
      missing: ["Memory is measured, not limited by the kernel: run as root for control groups"],
      gpus: [],
    },
  };
}

export function functionInfo(over: Partial<FunctionInfo> = {}): FunctionInfo {
  return {
    id: "fn_1",
    name: "predict",
    kind: "endpoint",
    app: "models",
    version: 2,
    session: null,
    state: "ready",
    reason: null,
    containers: { starting: 0, ready: 1, draining: 0 },
    pending: 0,
    running: 1,
    ...over,
  };
}

export function containerInfo(over: Partial<ContainerInfo> = {}): ContainerInfo {
  const startedAtMs = 1_700_000_000_000;
  const phase = (
    name: ContainerInfo["phases"][number]["phase"],
    fromMs: number,
    durationMs: number,
    hook: string | null = null,
    workerIndex: number | null = 0,
  ) => ({
    phase: name,
    workerIndex,
    hook,
    startedAtMs: startedAtMs + fromMs,
    durationMs,
    outcome: "ok" as const,
    detail: null,
  });
  return {
    id: "ct_alpha",
    function: "predict",
    functionId: "fn_1",
    app: "models",
    version: 2,
    driver: "process",
    state: "ready",
    reason: null,
    startedAtMs,
    endedAtMs: startedAtMs + 500,
    pid: 77,
    workers: 1,
    inputs: { running: 0, done: 5, failed: 1 },
    parameters: [],
    phases: [
      phase("create", 0, 40, null, null),
      phase("load", 40, 60),
      phase("start", 100, 100, "loadModel"),
      phase("stop", 400, 3, "close"),
      phase("exit", 403, 5, null, null),
    ],
    ...over,
  };
}

export function logLine(over: Partial<LogLine> = {}): LogLine {
  return {
    atMs: 1_700_000_000_000,
    containerId: "ct_alpha",
    function: "predict",
    workerIndex: 0,
    stream: "stdout",
    level: "info",
    source: { kind: "worker" },
    text: "hello",
    ...over,
  };
}

export function deploymentDetail(over: Partial<DeploymentDetail> = {}): DeploymentDetail {
  const pool = { state: "ready" as const, reason: null, containers: { starting: 0, ready: 1, draining: 0 }, pending: 0, running: 1 };
  const deployedAtMs = Date.now() - 7_200_000;
  const version = (n: number, active: boolean) => ({
    version: n,
    id: `fn_${n}`,
    deployId: `dp_${n}`,
    active,
    deployedAtMs: deployedAtMs - (2 - n) * 86_400_000,
    codeId: `${n}`.repeat(64),
    url: `http://127.0.0.1:8700/endpoint/predict@${n}`,
    pool: active ? pool : { ...pool, state: "idle" as const, containers: { starting: 0, ready: 0, draining: 0 }, running: 0 },
  });
  return {
    name: "predict",
    kind: "endpoint",
    app: "models",
    state: "active",
    activeVersion: 2,
    id: "fn_2",
    url: "http://127.0.0.1:8700/endpoint/predict",
    deployedAtMs,
    pool,
    scaling: {},
    versions: [version(2, true), version(1, false)],
    ...over,
  };
}

export function tokenInfo(over: Partial<TokenInfo> = {}): TokenInfo {
  return { id: "tk_1", name: "ci", scopes: ["invoke"], app: null, createdAtMs: Date.now() - 3_600_000, expiresAtMs: null, ...over };
}
