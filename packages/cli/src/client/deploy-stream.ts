import { CONTENT_TYPES, SamovarError, fromProblem, isProblem, type DeployEvent, type DeployRequest, type DeployResponse } from "@samovar/protocol";
import { toConnectionError, type HttpClient } from "./http-client.ts";
import { readNdjson } from "./ndjson.ts";

/**
 * One deploy as its client sees it: an answer that lasts as long as the deploy. Hanging up before its last event
 * gives the deploy up, which is what aborting the signal does.
 */
export async function streamDeploy(
  http: HttpClient,
  api: string,
  request: DeployRequest,
  onEvent: (event: DeployEvent) => void,
  signal?: AbortSignal,
): Promise<DeployResponse> {
  const { body } = await http.send({
    method: "POST",
    path: `${api}/deployments`,
    body: JSON.stringify(request),
    headers: { "content-type": CONTENT_TYPES.json, accept: CONTENT_TYPES.ndjson },
    signal,
  });
  try {
    for await (const event of readNdjson<DeployEvent>(body)) {
      if (event.type === "deployed") return event.result;
      if (event.type === "failed") throw toFailure(event.problem);
      onEvent(event);
    }
  } catch (error) {
    throw signal?.aborted ? signal.reason : toConnectionError(error, http.url);
  }
  throw new SamovarError("server_unreachable", `The server at ${http.url} ended its answer before the deploy was over`, {
    fields: { fix: "`samovar deployment list` shows which versions are active now" },
  });
}

function toFailure(problem: Readonly<Record<string, unknown>>): SamovarError {
  return isProblem(problem) ? fromProblem(problem) : new SamovarError("protocol_error", `The server sent a failure that is none: ${JSON.stringify(problem)}`);
}
