import type { ServerUnderChaos } from "./server-under-chaos.ts";

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // eslint-disable-next-line typescript/no-explicit-any
  readonly json: any;
}

export interface ApiRequest {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Calls to whichever server is up. */
export class ServerApi {
  readonly #server: ServerUnderChaos;

  constructor(server: ServerUnderChaos) {
    this.#server = server;
  }

  /** Once. Undefined: no whole answer came, so nobody knows what became of it. */
  async once(path: string, { method = "GET", body, headers = {} }: ApiRequest = {}): Promise<ApiAnswer | undefined> {
    const url = await this.#server.url();
    const token = await this.#server.token();
    try {
      const response = await fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const { status, headers: told } = response;
      return { status, headers: told, text, json: /json/.test(told.get("content-type") ?? "") && text !== "" ? JSON.parse(text) : undefined };
    } catch {
      return undefined;
    }
  }

  /** Until it is answered by a server that is not just going down: only what may be done twice. */
  async answered(path: string, request: ApiRequest = {}): Promise<ApiAnswer> {
    for (;;) {
      const answer = await this.once(path, request);
      if (answer && answer.status < 500) return answer;
      await nextTry();
    }
  }
}

/** A server that was just killed is noticed by its exit, which may come after the end of its connections. */
export const nextTry = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
