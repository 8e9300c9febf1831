/** What the load client is asked to do. It is another process, so that its work is not the target's. */
export interface LoadJob {
  readonly port: number;
  /** The whole request, as it goes over the wire. */
  readonly request: string;
  /** What the body of every answer must be, byte for byte. */
  readonly expectedBody: string;
  readonly connections: number;
  readonly durationMs: number;
}

export interface LoadResult {
  readonly calls: number;
  readonly elapsedMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export type LoadReply = { readonly result: LoadResult } | { readonly error: string };

export interface PostRequest {
  readonly url: URL;
  readonly token?: string;
  readonly body: string;
}

/** A POST of JSON as bytes for a kept connection. */
export function toRequest({ url, token, body }: PostRequest): string {
  const authorization = token ? `authorization: Bearer ${token}\r\n` : "";
  return `POST ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n${authorization}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
