import type { RequestHead } from "@samovar/protocol";
import type { ReceiveQueue } from "./flow.ts";

/** The caller's request as the web knows it. The body is the bytes that came, or the stream they arrive on. */
export function toWebRequest(head: RequestHead, body: Uint8Array | ReceiveQueue | null, signal: AbortSignal): Request {
  const hasBody = body !== null && head.method !== "GET" && head.method !== "HEAD";
  return new Request(head.url, {
    method: head.method,
    headers: head.headers.map(([name, value]) => [name, value] as [string, string]),
    signal,
    ...(hasBody ? { body: body instanceof Uint8Array ? new Uint8Array(body) : toWebStream(body), duplex: "half" } : {}),
  });
}

function toWebStream(body: ReceiveQueue): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      async pull(controller) {
        const chunk = await body.read();
        if (chunk) controller.enqueue(chunk);
        else controller.close();
      },
      cancel: () => body.end(),
    },
    { highWaterMark: 0 },
  );
}
