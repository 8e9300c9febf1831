import type { IncomingMessage } from "node:http";
import { retryDelayMs } from "@samovar/kit";
import {
  CONTENT_TYPES,
  SamovarError,
  isTaskOver,
  parseProblem,
  readServerEvents,
  type CallTransport,
  type TaskChange,
  type TaskDetail,
  type TaskInfo,
} from "@samovar/protocol";
import { decodeBody, readAnswer, toBreak, toError } from "./http-answer.ts";
import { readBody, type HttpConnection } from "./http-connection.ts";

/** How long one request waits at the server: less than what proxies on the way allow a silent request. */
const WAIT_MS = 50_000;

/** Without a timeout, a server that was away for so long in a row is not waited for any more. */
const AWAY_MS = 300_000;

const BACK_OFF = { initialDelayMs: 100, backoff: 2, maxDelayMs: 5_000, jitter: true };

/** How long, and for whom, a task is waited for. */
export interface TaskWait {
  /** Without: as long as it takes. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** The server is away or stops; it is asked again. Called once each time that this begins. */
  readonly onAway?: () => void;
}

type HttpTasks = Pick<CallTransport, "taskResult" | "taskInfo" | "cancelTask"> & {
  taskEvents(id: string, options: { readonly signal?: AbortSignal }): AsyncGenerator<TaskChange>;
  /** The task when it is over, or as it is when the time has passed. Waits as `taskResult` does, through restarts of the server. */
  taskWhenOver(id: string, wait: TaskWait): Promise<TaskDetail>;
};

/** What is asked about tasks by their ids. */
export function createHttpTasks(open: () => HttpConnection, authorization: Readonly<Record<string, string>>): HttpTasks {
  const get = (path: string, accept: string, signal?: AbortSignal, isAskedAgain = false): Promise<IncomingMessage> =>
    open().send({ method: "GET", path, headers: { accept, ...authorization }, signal, isAskedAgain });
  return {
    async taskResult(id, { timeoutMs = Infinity, signal }) {
      const ask = (waitMs: number): Promise<IncomingMessage> => get(`${toPath(id)}/result?wait=${waitMs}ms`, CONTENT_TYPES.value, signal, true);
      const wait = { timeoutMs, ...(signal ? { signal } : {}) };
      const answer = await askUntil(id, ask, ({ response }) => response.statusCode !== 202, wait);
      if ("lost" in answer || answer.response.statusCode === 202) throw notOver(id, timeoutMs, "lost" in answer ? answer.lost : undefined);
      return decodeBody(answer.response, answer.body);
    },
    async taskWhenOver(id, wait) {
      const read = ({ response, body }: Answered): TaskDetail => decodeBody(response, body) as TaskDetail;
      const ask = (waitMs: number): Promise<IncomingMessage> => get(`${toPath(id)}?wait=${waitMs}ms`, CONTENT_TYPES.json, wait.signal, true);
      const answer = await askUntil(id, ask, (answered) => isTaskOver(read(answered).status), wait);
      if ("lost" in answer) throw answer.lost;
      return read(answer);
    },
    async taskInfo(id) {
      const response = await get(toPath(id), CONTENT_TYPES.json);
      return decodeBody(response, await readAnswer(response, id)) as TaskInfo;
    },
    async cancelTask(id) {
      const headers = { "content-type": CONTENT_TYPES.json, ...authorization };
      const response = await open().send({ method: "POST", path: `${toPath(id)}/cancel`, headers, body: Buffer.from("{}") });
      return (decodeBody(response, await readAnswer(response, id)) as { readonly changed: boolean }).changed;
    },
    async *taskEvents(id, { signal }) {
      const response = await get(toPath(id), CONTENT_TYPES.sse, signal);
      try {
        if (response.statusCode! >= 400) await readAnswer(response, id, signal);
        yield* readServerEvents<TaskChange>(response, "status");
      } catch (error) {
        throw toBreak(error, signal);
      } finally {
        if (!response.readableEnded) response.destroy();
      }
    },
  };
}

const toPath = (id: string): string => `/api/v1/tasks/${encodeURIComponent(id)}`;

interface Answered {
  readonly response: IncomingMessage;
  readonly body: Buffer;
}
type Asked = Answered | { readonly lost: unknown };

/** Asks again until an answer is good, or the time has passed: then the last one is given, or why there was none. Throws what a refusal tells. */
async function askUntil(
  id: string,
  send: (waitMs: number) => Promise<IncomingMessage>,
  isGood: (answer: Answered) => boolean,
  { timeoutMs = Infinity, signal, onAway }: TaskWait,
): Promise<Asked> {
  const begunAt = performance.now();
  let lastSeenAt = begunAt;
  let failures = 0;
  for (;;) {
    const askedAt = performance.now();
    const waitMs = Math.min(WAIT_MS, Math.max(0, timeoutMs - (askedAt - begunAt)));
    const answer = await ask(() => send(Math.ceil(waitMs)), signal);
    const now = performance.now();
    if (!("lost" in answer)) {
      if (answer.response.statusCode! >= 400) throw toError(answer.response.statusCode!, answer.body, id);
      if (isGood(answer)) return answer;
      lastSeenAt = now;
    } else if (timeoutMs === Infinity && now - lastSeenAt > AWAY_MS) throw answer.lost;
    const restMs = timeoutMs - (now - begunAt);
    if (restMs <= 0) return answer;
    // Also after an answer that came before its time, as from a server that is about to stop.
    const tooSoon = "lost" in answer || now - askedAt < waitMs / 2;
    failures = tooSoon ? failures + 1 : 0;
    if (failures === 1) onAway?.();
    if (tooSoon) await pause(Math.min(restMs, retryDelayMs(BACK_OFF, failures, Math.random())), signal);
  }
}

/** One request that may be made again: a task outlives its server. What the caller did, and a host that is none, is thrown. */
async function ask(send: () => Promise<IncomingMessage>, signal: AbortSignal | undefined): Promise<Asked> {
  try {
    const response = await send();
    const body = await readBody(response);
    const status = response.statusCode!;
    // 502 to 504 that are no task's are those of a proxy whose server is away.
    const away = status === 502 || status === 503 || status === 504 ? isAway(body) : false;
    return away ? { lost: toError(status, body, "The server") } : { response, body };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === "ENOTFOUND") throw error;
    return { lost: toBreak(error, signal) };
  }
}

function isAway(body: Buffer): boolean {
  const problem = parseProblem(body.toString());
  return !problem || (problem.error === undefined && problem.code === "shutting_down");
}

function notOver(id: string, timeoutMs: number, cause?: unknown): SamovarError {
  const within = timeoutMs === 0 ? "is not over" : `is not over after ${timeoutMs / 1_000} s`;
  return new SamovarError("timeout", `The task ${id} ${within}. It goes on: ask again, or cancel it`, { cause, fields: { taskId: id } });
}

function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, delayMs);
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    function done(): void {
      signal?.removeEventListener("abort", abort);
      resolve();
    }
    if (signal?.aborted) return abort();
    signal?.addEventListener("abort", abort, { once: true });
  });
}
