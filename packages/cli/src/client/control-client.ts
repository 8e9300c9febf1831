import type {
  AppRequest,
  AppResponse,
  ContainerInfo,
  CreatedToken,
  DeployEvent,
  DeploymentDetail,
  DeploymentInfo,
  DeployRequest,
  DeployResponse,
  FunctionInfo,
  LogLine,
  ScalingPatch,
  ServerInfo,
  SessionRequest,
  TokenInfo,
  TokenRequest,
} from "@samovar/protocol";
import { CONTENT_TYPES } from "@samovar/protocol";
import { CallbackClient } from "./callback-client.ts";
import { streamDeploy } from "./deploy-stream.ts";
import { HttpClient } from "./http-client.ts";
import { readNdjson } from "./ndjson.ts";
import { API, JSON_BODY } from "./paths.ts";
import { ScheduleClient } from "./schedule-client.ts";
import { openSession, type Session } from "./session.ts";
import { TaskClient } from "./task-client.ts";

/** The control API of one server, typed: one method for each route of protocol's `api.ts`. */
export class ControlClient {
  readonly http: HttpClient;
  readonly tasks: TaskClient;
  readonly schedules: ScheduleClient;
  readonly callbacks: CallbackClient;

  private constructor(http: HttpClient) {
    this.http = http;
    this.tasks = new TaskClient(http);
    this.schedules = new ScheduleClient(http);
    this.callbacks = new CallbackClient(http);
  }

  static async create(url: string, token: string | null): Promise<ControlClient> {
    return new ControlClient(await HttpClient.create(url, token));
  }

  server(signal?: AbortSignal): Promise<ServerInfo> {
    return this.http.json({ method: "GET", path: `${API}/server`, signal });
  }

  async shutdown(signal?: AbortSignal): Promise<void> {
    await this.http.json({ method: "POST", path: `${API}/shutdown`, body: JSON.stringify({ reason: "stop" }), headers: JSON_BODY, signal });
  }

  /** Resolves when the file is there, on the server's machine. */
  async backup(to: string, signal?: AbortSignal): Promise<void> {
    await this.http.json({ method: "POST", path: `${API}/backup`, body: JSON.stringify({ to }), headers: JSON_BODY, signal });
  }

  async missingBlobs(sha256: readonly string[], signal?: AbortSignal): Promise<readonly string[]> {
    const answer = await this.http.json<{ sha256: string[] }>({
      method: "POST",
      path: `${API}/blobs/missing`,
      body: JSON.stringify({ sha256 }),
      headers: JSON_BODY,
      signal,
    });
    return answer.sha256;
  }

  async putBlob(sha256: string, content: Uint8Array | AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
    const { body } = await this.http.send({
      method: "PUT",
      path: `${API}/blobs/${sha256}`,
      body: content,
      headers: { "content-type": "application/octet-stream" },
      signal,
    });
    body.resume();
  }

  /** The session lasts until it is closed, or this process ends. */
  openSession(request: SessionRequest, signal?: AbortSignal): Promise<Session> {
    return openSession(this.http, API, request, signal);
  }

  putApp(sessionId: string, request: AppRequest, signal?: AbortSignal): Promise<AppResponse> {
    return this.http.json({ method: "PUT", path: `${API}/sessions/${sessionId}/app`, body: JSON.stringify(request), headers: JSON_BODY, signal });
  }

  async functions(signal?: AbortSignal): Promise<readonly FunctionInfo[]> {
    const answer = await this.http.json<{ functions: FunctionInfo[] }>({ method: "GET", path: `${API}/functions`, signal });
    return answer.functions;
  }

  async containers(options: { readonly all: boolean }, signal?: AbortSignal): Promise<readonly ContainerInfo[]> {
    const answer = await this.http.json<{ containers: ContainerInfo[] }>({ method: "GET", path: `${API}/containers${options.all ? "?all=1" : ""}`, signal });
    return answer.containers;
  }

  container(id: string, signal?: AbortSignal): Promise<ContainerInfo> {
    return this.http.json({ method: "GET", path: `${API}/containers/${encodeURIComponent(id)}`, signal });
  }

  async stopContainer(id: string, options: { readonly force: boolean }, signal?: AbortSignal): Promise<void> {
    await this.http.json({ method: "POST", path: `${API}/containers/${encodeURIComponent(id)}/stop${options.force ? "?force=1" : ""}`, signal });
  }

  /** Events of the deploy until it is over; aborting the signal gives it up, and nothing changes. Rejects with why it failed. */
  deploy(request: DeployRequest, onEvent: (event: DeployEvent) => void, signal?: AbortSignal): Promise<DeployResponse> {
    return streamDeploy(this.http, API, request, onEvent, signal);
  }

  async deployments(signal?: AbortSignal): Promise<readonly DeploymentInfo[]> {
    const answer = await this.http.json<{ deployments: DeploymentInfo[] }>({ method: "GET", path: `${API}/deployments`, signal });
    return answer.deployments;
  }

  deployment(name: string, signal?: AbortSignal): Promise<DeploymentDetail> {
    return this.http.json({ method: "GET", path: deploymentPath(name), signal });
  }

  stopDeployment(name: string, signal?: AbortSignal): Promise<DeploymentInfo> {
    return this.http.json({ method: "POST", path: `${deploymentPath(name)}/stop`, signal });
  }

  startDeployment(name: string, signal?: AbortSignal): Promise<DeploymentInfo> {
    return this.http.json({ method: "POST", path: `${deploymentPath(name)}/start`, signal });
  }

  /** Null: to the version that was active before. */
  rollback(name: string, version: number | null, signal?: AbortSignal): Promise<DeploymentInfo> {
    return this.http.json({
      method: "POST",
      path: `${deploymentPath(name)}/rollback`,
      body: JSON.stringify(version === null ? {} : { version }),
      headers: JSON_BODY,
      signal,
    });
  }

  async rollbackApp(app: string, signal?: AbortSignal): Promise<readonly DeploymentInfo[]> {
    const answer = await this.http.json<{ deployments: DeploymentInfo[] }>({
      method: "POST",
      path: `${API}/apps/${encodeURIComponent(app)}/rollback`,
      body: "{}",
      headers: JSON_BODY,
      signal,
    });
    return answer.deployments;
  }

  /** Null: all of its versions. */
  async deleteDeployment(name: string, version: number | null, signal?: AbortSignal): Promise<void> {
    await this.http.json({ method: "DELETE", path: `${deploymentPath(name)}${version === null ? "" : `?version=${version}`}`, signal });
  }

  scale(idOrName: string, patch: ScalingPatch, signal?: AbortSignal): Promise<FunctionInfo> {
    return this.http.json({
      method: "PATCH",
      path: `${API}/functions/${encodeURIComponent(idOrName)}/scaling`,
      body: JSON.stringify(patch),
      headers: JSON_BODY,
      signal,
    });
  }

  async tokens(signal?: AbortSignal): Promise<readonly TokenInfo[]> {
    const answer = await this.http.json<{ tokens: TokenInfo[] }>({ method: "GET", path: `${API}/tokens`, signal });
    return answer.tokens;
  }

  createToken(request: TokenRequest, signal?: AbortSignal): Promise<CreatedToken> {
    return this.http.json({ method: "POST", path: `${API}/tokens`, body: JSON.stringify(request), headers: JSON_BODY, signal });
  }

  /** By id or name. */
  async revokeToken(idOrName: string, signal?: AbortSignal): Promise<void> {
    await this.http.json({ method: "DELETE", path: `${API}/tokens/${encodeURIComponent(idOrName)}`, signal });
  }

  /** Lines that were logged, then, with `follow`, those that come. Ends when there are no more, or with an error when the server goes. */
  async *logs(query: LogQuery, signal?: AbortSignal): AsyncGenerator<LogLine> {
    const search = new URLSearchParams();
    if (query.follow) search.set("follow", "1");
    if (query.tail !== undefined) search.set("tail", String(query.tail));
    if (query.name) search.set("name", query.name);
    const path = query.containerId ? `${API}/containers/${encodeURIComponent(query.containerId)}/logs` : `${API}/logs`;
    const { body } = await this.http.send({
      method: "GET",
      path: search.size > 0 ? `${path}?${search.toString()}` : path,
      headers: { accept: CONTENT_TYPES.ndjson },
      signal,
    });
    yield* readNdjson<LogLine>(body);
  }

  dispose(): void {
    this.http.dispose();
  }
}

const deploymentPath = (name: string): string => `${API}/deployments/${encodeURIComponent(name)}`;

export interface LogQuery {
  readonly follow: boolean;
  readonly tail?: number | undefined;
  /** A function's name. */
  readonly name?: string | undefined;
  readonly containerId?: string | undefined;
}
