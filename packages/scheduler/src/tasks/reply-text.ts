import type { RequestHead } from "@samovar/protocol";
import type { InputRequest } from "../input.ts";

type Reply = Pick<InputRequest, "reply" | "stream" | "request">;

const VALUE: Reply = Object.freeze({ reply: "value", stream: "values", request: null });

/** How a task is to be answered, as the store keeps it: `value` for what handles queue, else JSON. */
export function toReplyText({ reply, stream, request }: Reply): string {
  return reply === "value" && stream === "values" && request === null ? "value" : JSON.stringify([reply, stream, request]);
}

export function parseReplyText(text: string): Reply {
  if (text === "value") return VALUE;
  const [reply, stream, request] = JSON.parse(text) as [Reply["reply"], Reply["stream"], RequestHead | null];
  return { reply, stream, request };
}
