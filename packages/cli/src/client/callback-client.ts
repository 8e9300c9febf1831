import type { CallbackInfo } from "@samovar/protocol";
import type { HttpClient } from "./http-client.ts";
import { API, withQuery } from "./paths.ts";

/** Callbacks of one server: `/api/v1/callbacks`. */
export class CallbackClient {
  readonly #http: HttpClient;

  constructor(http: HttpClient) {
    this.#http = http;
  }

  /** Newest first. */
  async list(
    filter: { readonly state?: CallbackInfo["state"] | undefined; readonly app?: string | undefined },
    signal?: AbortSignal,
  ): Promise<readonly CallbackInfo[]> {
    const path = withQuery(`${API}/callbacks`, { state: filter.state, app: filter.app });
    const answer = await this.#http.json<{ callbacks: CallbackInfo[] }>({ method: "GET", path, signal });
    return answer.callbacks;
  }

  retry(id: string, signal?: AbortSignal): Promise<CallbackInfo> {
    return this.#http.json({ method: "POST", path: `${API}/callbacks/${encodeURIComponent(id)}/retry`, signal });
  }

  async secret(app: string, signal?: AbortSignal): Promise<string> {
    const answer = await this.#http.json<{ secret: string }>({ method: "GET", path: withQuery(`${API}/callbacks/secret`, { app }), signal });
    return answer.secret;
  }
}
