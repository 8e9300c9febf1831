import type { IncomingMessage } from "node:http";
import {
  CONTENT_TYPES,
  encodeValue,
  toEncodedTask,
  ItemDecoder,
  KIND_SEGMENTS,
  MAX_BODY_BYTES,
  SamovarError,
  type CallTarget,
  type CallTransport,
  type FunctionInfo,
  type FunctionKind,
  type PutTask,
  type PutTaskResult,
  type PutTasksResponse,
  type TaskChange,
  type TaskDetail,
} from "@samovar/protocol";
import { contentTypeOf, decodeBody, readAnswer, toBreak } from "./http-answer.ts";
import { HttpConnection, type ServerIsBack } from "./http-connection.ts";
import { createHttpTasks, type TaskWait } from "./http-tasks.ts";
import { isForLane, PutLane } from "./put-lane.ts";

export interface HttpTransportOptions {
  /** The server, such as `http://127.0.0.1:8700`. */
  readonly url: string;
  readonly token?: string | undefined;
  /** Ids of functions by name, as a session knows its own: only these can be called. Without: the server's active version of a name. */
  readonly functionIds?: Readonly<Record<string, string>> | undefined;
  /** Default: a server that is away is not waited for. */
  readonly serverIsBack?: ServerIsBack;
}

export interface HttpTransport extends CallTransport {
  /** What happens to a task, until it is over. Rejects with `not_found`. */
  taskEvents(id: string, options: { readonly signal?: AbortSignal }): AsyncIterable<TaskChange>;
  /** The task when it is over, or as it is when the time has passed; through restarts of the server. */
  taskWhenOver(id: string, wait: TaskWait): Promise<TaskDetail>;
  /** Of a function by its name or id. Where the token may not ask, `endpoint`, which callers without one call. */
  kindOf(idOrName: string): Promise<FunctionKind>;
  /** The same server, and nothing but functions of these ids by their names. */
  withIds(functionIds: Readonly<Record<string, string>>): HttpTransport;
  /** Closes the connections that are kept. Calls under way fail. */
  close(): void;
}

/** How handles outside of a container call: values over the same HTTP routes that everyone uses. */
export function createHttpTransport({ url, token, functionIds, serverIsBack }: HttpTransportOptions): HttpTransport {
  let connection: HttpConnection | undefined;
  const lanes = new Map<string, PutLane>();
  return createTransport(
    {
      open: () => (connection ??= new HttpConnection(url, serverIsBack)),
      close() {
        for (const lane of lanes.values()) lane.close();
        lanes.clear();
        connection?.close();
      },
      lanes,
      authorization: token ? { authorization: `Bearer ${token}` } : {},
    },
    functionIds,
  );
}

interface Server {
  readonly open: () => HttpConnection;
  readonly close: () => void;
  /** Those in use, by the path to which they put. */
  readonly lanes: Map<string, PutLane>;
  readonly authorization: Readonly<Record<string, string>>;
}

function createTransport(server: Server, functionIds: Readonly<Record<string, string>> | undefined): HttpTransport {
  const { open, lanes, authorization } = server;
  const post = (target: CallTarget, input: unknown, accept: string, signal: AbortSignal | undefined): Promise<IncomingMessage> => {
    const headers = { "content-type": CONTENT_TYPES.value, accept, ...authorization };
    const body = encodeValue(input, "unserializable_input");
    return open().send({ method: "POST", path: toPath(target, functionIds), headers, body, signal });
  };
  const putAt = async (path: string, label: string, tasks: readonly PutTask[], signal: AbortSignal | undefined): Promise<readonly PutTaskResult[]> => {
    const body = encodeValue({ tasks });
    if (body.length > MAX_BODY_BYTES)
      throw new SamovarError("payload_too_large", `${tasks.length} inputs for ${label} take ${body.length} bytes. Put fewer at a time`);
    const headers = { "content-type": CONTENT_TYPES.value, accept: CONTENT_TYPES.value, ...authorization };
    const response = await open().send({ method: "POST", path, headers, body, signal });
    return (decodeBody(response, await readAnswer(response, label, signal)) as PutTasksResponse).tasks;
  };
  return {
    async call(target, input, { signal }) {
      const response = await post(target, input, CONTENT_TYPES.value, signal);
      if (contentTypeOf(response) === CONTENT_TYPES.values) {
        response.destroy();
        throw new SamovarError("invalid_request", `${describeTarget(target)} answers with a stream of items, not one value. Call it with .stream(input)`);
      }
      return decodeBody(response, await readAnswer(response, describeTarget(target), signal));
    },
    async *stream(target, input, { signal }) {
      const response = await post(target, input, CONTENT_TYPES.values, signal);
      try {
        if (response.statusCode! >= 400) await readAnswer(response, describeTarget(target), signal);
        if (contentTypeOf(response) !== CONTENT_TYPES.values) {
          throw new SamovarError("invalid_request", `${describeTarget(target)} returns one value, not a stream. Call it with .remote(input)`);
        }
        yield* readItems(response, signal);
      } finally {
        // Ends the remote generator when the loop was left; after the last byte it does nothing.
        if (!response.readableEnded) response.destroy();
      }
    },
    async scale(target, patch) {
      const response = await open().send({
        method: "PATCH",
        path: `/api/v1/functions/${toSegment(target, functionIds)}/scaling`,
        headers: { "content-type": CONTENT_TYPES.json, ...authorization },
        body: Buffer.from(JSON.stringify(patch)),
      });
      await readAnswer(response, target.name);
    },
    async put(target, tasks, { signal }) {
      const path = `/api/v1/functions/${toSegment(target, functionIds)}/tasks${toQuery({ method: target.method, with: toWith(target) })}`;
      const encoded = tasks.map(toEncodedTask);
      // What is many is queued together or not at all, and what has a signal is given up by itself.
      if (signal || encoded.length !== 1 || !isForLane(encoded[0]!)) return putAt(path, describeTarget(target), encoded, signal);
      let lane = lanes.get(path);
      if (!lane) {
        const forget = (): boolean => lanes.get(path) === lane && lanes.delete(path);
        lane = new PutLane((together) => putAt(path, describeTarget(target), together, undefined), forget);
        lanes.set(path, lane);
      }
      return [await lane.put(encoded[0]!)];
    },
    ...createHttpTasks(open, authorization),
    kindOf: (idOrName) =>
      findKind(idOrName, (list) => open().send({ method: "GET", path: `/api/v1/${list}`, headers: { accept: CONTENT_TYPES.json, ...authorization } })),
    withIds: (ids) => createTransport(server, ids),
    close: server.close,
  };
}

/** In the list of deployments, which all tokens may see, else in that of what is there at all. */
async function findKind(idOrName: string, get: (list: "deployments" | "functions") => Promise<IncomingMessage>): Promise<FunctionKind> {
  const name = idOrName.replace(/@\d+$/, "").toLowerCase();
  for (const list of ["deployments", "functions"] as const) {
    const response = await get(list);
    if (response.statusCode === 401 || response.statusCode === 403) {
      response.resume();
      return "endpoint";
    }
    const entries = (decodeBody(response, await readAnswer(response, idOrName)) as Record<string, readonly Pick<FunctionInfo, "id" | "name" | "kind">[]>)[
      list
    ]!;
    const found = entries.find((one) => one.id === idOrName) ?? entries.find((one) => one.name.toLowerCase() === name);
    if (found) return found.kind;
  }
  throw new SamovarError("not_found", `No function is named ${idOrName}. \`samovar ps\` lists those that there are`);
}

/** The id of the session's function, else the name. */
function toSegment({ name }: CallTarget, functionIds: Readonly<Record<string, string>> | undefined): string {
  if (functionIds && !Object.hasOwn(functionIds, name))
    throw new SamovarError("not_found", `The app has no function ${name}. It has ${Object.keys(functionIds).join(", ") || "none"}`);
  return encodeURIComponent(functionIds ? functionIds[name]! : name);
}

function toPath(target: CallTarget, functionIds: Readonly<Record<string, string>> | undefined): string {
  const who = `${functionIds ? "id/" : ""}${toSegment(target, functionIds)}`;
  const method = target.method === undefined ? "" : `/${encodeURIComponent(target.method)}`;
  return `/${KIND_SEGMENTS[target.kind]}/${who}${method}${toQuery({ with: toWith(target) })}`;
}

/** Constructor arguments of a class. */
const toWith = ({ parameters }: CallTarget): string | undefined => (parameters?.length ? JSON.stringify(parameters) : undefined);

function toQuery(parameters: Readonly<Record<string, string | undefined>>): string {
  const pairs = Object.entries(parameters).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`]));
  return pairs.length > 0 ? `?${pairs.join("&")}` : "";
}

const describeTarget = (target: CallTarget): string => (target.method === undefined ? target.name : `${target.name}.${target.method}`);

async function* readItems(response: IncomingMessage, signal: AbortSignal | undefined): AsyncGenerator<unknown> {
  const items = new ItemDecoder();
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) yield* items.push(chunk);
    items.finish();
  } catch (error) {
    throw toBreak(error, signal);
  }
}
