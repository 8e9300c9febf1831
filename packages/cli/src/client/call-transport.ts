import { CONTENT_TYPES, KIND_SEGMENTS, SamovarError, decodeValue, encodeValue, type CallTarget, type CallTransport, type DeployedFunction } from "@samovar/protocol";
import { RemoteError, readBytes, toConnectionError, type HttpClient } from "./http-client.ts";
import { readValueStream } from "./value-stream.ts";

/**
 * How handles reach the functions of one session: by id, so that a call never meets another deployment of the
 * same name, and with values in place of JSON, so that what was returned is what arrives.
 */
export function createCallTransport(http: HttpClient, functions: readonly DeployedFunction[]): CallTransport {
  const ids = new Map(functions.map((fn) => [fn.name, fn.id]));
  const toPath = (target: CallTarget): string => {
    const id = ids.get(target.name);
    if (id === undefined) throw new SamovarError("not_found", `This app has no function ${JSON.stringify(target.name)}`);
    const method = target.method === undefined ? "" : `/${encodeURIComponent(target.method)}`;
    const parameters = target.parameters && target.parameters.length > 0 ? `?with=${encodeURIComponent(JSON.stringify(target.parameters))}` : "";
    return `/${KIND_SEGMENTS[target.kind]}/id/${encodeURIComponent(id)}${method}${parameters}`;
  };
  const send = (target: CallTarget, input: unknown, accept: string, signal: AbortSignal | undefined) =>
    http.send({ method: "POST", path: toPath(target), body: encodeValue(input, "unserializable_input"), headers: { "content-type": CONTENT_TYPES.value, accept, prefer: "wait" }, signal });

  return {
    async call(target, input, { signal }) {
      try {
        const { body } = await send(target, input, CONTENT_TYPES.value, signal);
        return decodeValue(await readBytes(body, http.url));
      } catch (error) {
        throw signal?.aborted ? signal.reason : raised(error);
      }
    },
    async *stream(target, input, { signal }) {
      try {
        const { body } = await send(target, input, CONTENT_TYPES.values, signal);
        // Leaving the loop destroys the body, which ends the remote generator.
        yield* readValueStream(body);
      } catch (error) {
        throw signal?.aborted ? signal.reason : raised(toConnectionError(error, http.url));
      }
    },
  };
}

/** A handle's caller catches what the function threw, not our wrapping of it. */
function raised(error: unknown): unknown {
  return error instanceof RemoteError ? error.cause : error;
}
