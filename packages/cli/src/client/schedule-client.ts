import type { ScheduleInfo } from "@samovar/protocol";
import type { HttpClient } from "./http-client.ts";
import { API } from "./paths.ts";

/** Schedules of one server: `/api/v1/schedules`. */
export class ScheduleClient {
  readonly #http: HttpClient;

  constructor(http: HttpClient) {
    this.#http = http;
  }

  async list(signal?: AbortSignal): Promise<readonly ScheduleInfo[]> {
    const answer = await this.#http.json<{ schedules: ScheduleInfo[] }>({ method: "GET", path: `${API}/schedules`, signal });
    return answer.schedules;
  }

  get(name: string, signal?: AbortSignal): Promise<ScheduleInfo> {
    return this.#http.json({ method: "GET", path: schedulePath(name), signal });
  }

  /** Once now; resolves to the task's id. */
  async run(name: string, signal?: AbortSignal): Promise<string> {
    const answer = await this.#http.json<{ taskId: string }>({ method: "POST", path: `${schedulePath(name)}/run`, signal });
    return answer.taskId;
  }

  switch(name: string, verb: "pause" | "resume", signal?: AbortSignal): Promise<ScheduleInfo> {
    return this.#http.json({ method: "POST", path: `${schedulePath(name)}/${verb}`, signal });
  }
}

const schedulePath = (name: string): string => `${API}/schedules/${encodeURIComponent(name)}`;
