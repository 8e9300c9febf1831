import { SamovarError } from "@samovar/protocol";

const MAX_EVENT_BYTES = 1024 * 1024;

/**
 * The data of server-sent events, each parsed as JSON, as they come. Comments, which keep a connection open, ids and
 * names of events are passed over. An event cut off by the end of the body is left out.
 */
export async function* readServerEvents<T>(body: AsyncIterable<Uint8Array>): AsyncGenerator<T> {
  const decoder = new TextDecoder();
  let rest = "";
  let data: string[] = [];
  for await (const chunk of body) {
    // A carriage return at the end may be half of a line's end.
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    if (rest.length > MAX_EVENT_BYTES) throw new SamovarError("protocol_error", `The server sent an event of more than ${MAX_EVENT_BYTES} bytes`);
    for (const line of lines) {
      if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      if (line !== "" || data.length === 0) continue;
      const text = data.join("\n");
      data = [];
      yield parseData(text) as T;
    }
  }
}

function parseData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SamovarError("protocol_error", `The server sent an event that is not JSON: ${text.slice(0, 80)}`, { cause: error });
  }
}
