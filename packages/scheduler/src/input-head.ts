import type { FunctionKind, InputHead } from "@samovar/protocol";
import type { Container } from "./container.ts";
import type { StartedInfo } from "./input.ts";
import type { PoolInput } from "./pool-types.ts";

/** What they answer is made for HTTP, whoever calls them. */
const HTTP_KINDS: ReadonlySet<FunctionKind> = new Set<FunctionKind>(["endpoint", "cls"]);

/** What a worker is told of an input. `nowMs`: since the epoch. */
export function toInputHead({ request, attempts, timeoutMs, isTask }: PoolInput, kind: FunctionKind, nowMs: number): InputHead {
  const head: { -readonly [K in keyof InputHead]: InputHead[K] } = {
    taskId: request.taskId,
    attempt: attempts,
    encoding: request.encoding,
    reply: request.reply,
    stream: request.stream,
    timeoutMs,
    deadlineMs: timeoutMs === null ? null : nowMs + timeoutMs,
  };
  if (request.method !== null) head.method = request.method;
  if (isTask) head.durable = true;
  if (isTask && !HTTP_KINDS.has(kind)) head.kept = true;
  if (request.request) head.request = request.request;
  return head;
}

/** What a caller is told of the container that has its input. `nowMs`: on the monotonic clock. */
export function toStartedInfo(container: Container, { arrivedAtMs, arrivedEpochMs }: PoolInput, nowMs: number): StartedInfo {
  const coldStart = container.readyAtMs === null || container.readyAtMs >= arrivedEpochMs;
  return { containerId: container.id, coldStart, queuedMs: nowMs - arrivedAtMs, phases: coldStart ? startPhases(container) : [] };
}

/** What the start was made of, for `server-timing`. */
function startPhases(container: Container): StartedInfo["phases"] {
  return container.record.phases
    .filter((p) => p.outcome === "ok" && (p.workerIndex ?? 0) === 0 && (p.phase === "create" || p.phase === "load" || p.phase === "start"))
    .map((p) => ({ name: p.phase, durationMs: p.durationMs }));
}
