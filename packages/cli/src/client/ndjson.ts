import { SamovarError } from "@samovar/protocol";

/** A server that sends more than this without a line's end is not one of ours. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** The lines of a body, each parsed, as they come. A line cut off by the end of the body is left out. */
export async function* readNdjson<T>(body: AsyncIterable<Uint8Array>): AsyncGenerator<T> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    if (rest.length > MAX_LINE_BYTES) throw new SamovarError("protocol_error", `The server sent a line of more than ${MAX_LINE_BYTES} bytes`);
    for (const line of lines) if (line !== "") yield parseLine(line) as T;
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new SamovarError("protocol_error", `The server sent a line that is not JSON: ${line.slice(0, 80)}`, { cause: error });
  }
}
