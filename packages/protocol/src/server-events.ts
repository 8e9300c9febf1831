import { SamovarError } from "./errors.ts";

const MAX_EVENT_BYTES = 1024 * 1024;

/** One server-sent event. Every one of them has data: who reads them by the rules drops those that have none. */
export const encodeServerEvent = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

/**
 * The data of those server-sent events that have this name, each parsed as JSON, as they come. Others, ids, and comments,
 * which keep a connection open, are passed over. An event cut off by the end of the body is left out. Throws
 * `protocol_error` for what no server of ours sends.
 */
export async function* readServerEvents<T>(body: AsyncIterable<Uint8Array>, wanted: string): AsyncGenerator<T> {
  const decoder = new TextDecoder();
  let rest = "";
  let data: string[] = [];
  let name = "message";
  for await (const chunk of body) {
    // A carriage return at the end may be half of a line's end.
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    if (rest.length > MAX_EVENT_BYTES) throw new SamovarError("protocol_error", `The server sent an event of more than ${MAX_EVENT_BYTES} bytes`);
    for (const line of lines) {
      if (line.startsWith("data:")) data.push(valueOf(line));
      else if (line.startsWith("event:")) name = valueOf(line);
      if (line !== "") continue;
      const event = { name, data };
      [name, data] = ["message", []];
      if (event.name === wanted && event.data.length > 0) yield parseData(event.data.join("\n")) as T;
    }
  }
}

const valueOf = (line: string): string => line.slice(line.indexOf(":") + 1).replace(/^ /, "");

function parseData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SamovarError("protocol_error", `The server sent an event that is not JSON: ${text.slice(0, 80)}`, { cause: error });
  }
}
