import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ContainerInfo, FunctionInfo, LogLine, ServerInfo } from "@samovar/protocol";

/** A server that speaks as much of the control API as the commands that look at one need, from data of the test. */
export interface ControlServer {
  readonly url: string;
  /** `METHOD path`, in order. */
  readonly requests: string[];
  dispose(): Promise<void>;
}

export interface ControlServerData {
  readonly functions?: readonly FunctionInfo[];
  readonly containers?: readonly ContainerInfo[];
  readonly logs?: readonly LogLine[];
  /** Keeps the log stream open after its lines. */
  readonly followsForever?: boolean;
}

export const TOKEN = "smv_test";

export async function startControlServer(data: ControlServerData = {}): Promise<ControlServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return problem(response, 401, "unauthorized", "The token is unknown");
    const url = new URL(request.url!, "http://localhost");
    answer(url, request, response, data, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async dispose() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function answer(url: URL, request: IncomingMessage, response: ServerResponse, data: ControlServerData, self: string): void {
  const containers = data.containers ?? [];
  const id = /^\/api\/v1\/containers\/([^/]+)/.exec(url.pathname)?.[1];
  if (url.pathname === "/api/v1/server") return json(response, serverInfo(self));
  if (url.pathname === "/api/v1/functions") return json(response, { functions: data.functions ?? [] });
  if (url.pathname === "/api/v1/containers") return json(response, { containers });
  if (url.pathname.endsWith("/logs")) {
    const name = url.searchParams.get("name");
    if (name !== null && data.functions?.every((fn) => fn.name !== name)) return problem(response, 404, "not_found", `No function is named "${name}"`);
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    for (const line of data.logs ?? []) response.write(`${JSON.stringify(line)}\n`);
    return data.followsForever ? undefined : void response.end();
  }
  const found = containers.find((container) => container.id === id);
  if (!found) return problem(response, 404, "not_found", `There is no container ${id}`);
  if (request.method === "POST") return json(response, {}, 202);
  json(response, found);
}

function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function problem(response: ServerResponse, status: number, code: string, detail: string): void {
  response.writeHead(status, { "content-type": "application/problem+json" }).end(JSON.stringify({ type: "about:blank", title: code, status, detail, code }));
}

export function serverInfo(url: string): ServerInfo {
  return {
    version: "0.1.0",
    pid: 4_242,
    startedAtMs: Date.now() - 90_000,
    home: "/srv/samovar",
    url,
    embedded: false,
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
