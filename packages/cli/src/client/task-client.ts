import type { LogLine, PutTask, PutTaskResult, PutTasksResponse, TaskChange, TaskDetail, TaskInfo, TaskPage, TaskStatus } from "@samovar/protocol";
import { CONTENT_TYPES, readServerEvents } from "@samovar/protocol";
import type { HttpClient } from "./http-client.ts";
import { readNdjson } from "./ndjson.ts";
import { API, JSON_BODY, taskPath, withQuery } from "./paths.ts";

/** Which tasks a list shows: all that match all of it, newest first. */
export interface TaskQuery {
  readonly function?: string | undefined;
  readonly app?: string | undefined;
  readonly statuses?: readonly TaskStatus[] | undefined;
  /** Only what is queued, or only calls that were answered lately. */
  readonly delivery?: TaskInfo["delivery"] | undefined;
  /** Accepted at most so many milliseconds ago. */
  readonly sinceMs?: number | undefined;
  readonly limit: number;
  readonly cursor?: string | null;
}

/** Which tasks a change is for. */
export interface TaskChoice {
  readonly function?: string;
  readonly app?: string;
  readonly statuses: readonly TaskStatus[];
  /** Accepted at most so many milliseconds ago. */
  readonly sinceMs?: number;
}

export interface ChangedTasks {
  readonly changed: number;
  /** How many of a retry stay as they are, because nobody serves them any more. */
  readonly unserved?: number;
}

/** What of a function is called; a class has methods and parameters. */
export interface PutTarget {
  readonly name: string;
  readonly method: string | null;
  readonly parameters: readonly unknown[];
}

/** Tasks of one server: `/api/v1/tasks`, and `/api/v1/functions/{name}/tasks`. */
export class TaskClient {
  readonly #http: HttpClient;

  constructor(http: HttpClient) {
    this.#http = http;
  }

  list(query: TaskQuery, signal?: AbortSignal): Promise<TaskPage> {
    const path = withQuery(`${API}/tasks`, {
      function: query.function,
      app: query.app,
      status: query.statuses?.join(","),
      delivery: query.delivery,
      since: query.sinceMs === undefined ? undefined : `${query.sinceMs}ms`,
      limit: String(query.limit),
      cursor: query.cursor ?? undefined,
    });
    return this.#http.json({ method: "GET", path, signal });
  }

  get(id: string, signal?: AbortSignal): Promise<TaskDetail> {
    return this.#http.json({ method: "GET", path: taskPath(id), signal });
  }

  /** What one task is, then its changes; ends when it is over. */
  async *follow(id: string, signal?: AbortSignal): AsyncGenerator<TaskChange> {
    const { body } = await this.#http.send({ method: "GET", path: taskPath(id), headers: { accept: CONTENT_TYPES.sse }, signal });
    yield* readServerEvents<TaskChange>(body, "status");
  }

  /** Changes of all tasks that match, from now on, without end. */
  async *changes(which: { readonly function?: string | undefined; readonly app?: string | undefined }, signal?: AbortSignal): AsyncGenerator<TaskChange> {
    const path = withQuery(`${API}/tasks/events`, which);
    const { body } = await this.#http.send({ method: "GET", path, headers: { accept: CONTENT_TYPES.ndjson }, signal });
    yield* readNdjson<TaskChange>(body);
  }

  async *logs(id: string, options: { readonly follow: boolean }, signal?: AbortSignal): AsyncGenerator<LogLine> {
    const path = withQuery(`${taskPath(id)}/logs`, { follow: options.follow ? "1" : undefined });
    const { body } = await this.#http.send({ method: "GET", path, headers: { accept: CONTENT_TYPES.ndjson }, signal });
    yield* readNdjson<LogLine>(body);
  }

  /** Resolves when the task is on disk. */
  async put(target: PutTarget, task: PutTask, signal?: AbortSignal): Promise<PutTaskResult> {
    const path = withQuery(`${API}/functions/${encodeURIComponent(target.name)}/tasks`, {
      method: target.method ?? undefined,
      with: target.parameters.length > 0 ? JSON.stringify(target.parameters) : undefined,
    });
    const answer = await this.#http.json<PutTasksResponse>({ method: "POST", path, body: JSON.stringify({ tasks: [task] }), headers: JSON_BODY, signal });
    return answer.tasks[0]!;
  }

  /** One task. `changed` is false where there was nothing to cancel, or to try again. */
  change(verb: TaskVerb, id: string, signal?: AbortSignal): Promise<{ readonly task: TaskInfo; readonly changed: boolean }> {
    return this.#http.json({ method: "POST", path: `${taskPath(id)}/${verb}`, signal });
  }

  /** All that match, in the words of the list: `since` goes by the server's clock, as there. */
  changeAll(verb: TaskVerb, choice: TaskChoice, signal?: AbortSignal): Promise<ChangedTasks> {
    const { sinceMs, statuses, ...rest } = choice;
    const body = { ...rest, status: statuses.join(","), ...(sinceMs === undefined ? {} : { since: `${sinceMs}ms` }) };
    return this.#http.json({ method: "POST", path: `${API}/tasks/${verb}`, body: JSON.stringify(body), headers: JSON_BODY, signal });
  }
}

export type TaskVerb = "cancel" | "retry";
