import type { CallbackInfo } from "@samovar/protocol";
import type { HttpClient } from "./http-client.ts";
import { API, JSON_BODY, withQuery } from "./paths.ts";

/** A page has no more. */
export const MAX_CALLBACKS = 1_000;

export interface CallbackPage {
  readonly callbacks: readonly CallbackInfo[];
  /** For the next page; null: this is the last. */
  readonly cursor: string | null;
}

/** Callbacks of one server: `/api/v1/callbacks`. */
export class CallbackClient {
  readonly #http: HttpClient;

  constructor(http: HttpClient) {
    this.#http = http;
  }

  /** Newest first. */
  list(
    filter: {
      readonly state?: CallbackInfo["state"] | undefined;
      readonly app?: string | undefined;
      readonly limit: number;
      readonly cursor?: string | null;
    },
    signal?: AbortSignal,
  ): Promise<CallbackPage> {
    const { state, app, limit, cursor } = filter;
    return this.#http.json({
      method: "GET",
      path: withQuery(`${API}/callbacks`, { state, app, limit: String(limit), cursor: cursor ?? undefined }),
      signal,
    });
  }

  retry(id: string, signal?: AbortSignal): Promise<CallbackInfo> {
    return this.#http.json({ method: "POST", path: `${API}/callbacks/${encodeURIComponent(id)}/retry`, signal });
  }

  /** All that failed for good, of one app or of all; resolves to how many. */
  async retryFailed(app: string | undefined, signal?: AbortSignal): Promise<number> {
    const body = JSON.stringify({ state: "failed", app });
    const answer = await this.#http.json<{ changed: number }>({ method: "POST", path: `${API}/callbacks/retry`, body, headers: JSON_BODY, signal });
    return answer.changed;
  }

  async secret(app: string, signal?: AbortSignal): Promise<string> {
    const answer = await this.#http.json<{ secret: string }>({ method: "GET", path: withQuery(`${API}/callbacks/secret`, { app }), signal });
    return answer.secret;
  }
}
