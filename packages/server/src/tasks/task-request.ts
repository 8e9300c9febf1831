import { MAX_TASK_BYTES, MAX_TASK_KEY_LENGTH, SamovarError, TASK_TERMS, type FunctionManifest, type TaskId } from "@samovar/protocol";
import { canonicalJson, toReplyText, type NewInput } from "@samovar/scheduler";
import type { NewTask } from "@samovar/storage";

/** A key stands for its task for so long, whatever became of it. */
export const IDEMPOTENCY_MS = 86_400_000;

const NO_INPUT = new Uint8Array(0);

/** Where a task goes, and of whom it is. */
export interface TaskAddress {
  readonly queue: string;
  /** Its name without constructor arguments. */
  readonly base: string;
  readonly functionName: string;
  readonly app: string;
  readonly parameters: readonly unknown[];
  readonly manifest: FunctionManifest;
}

/** An input as it is kept. Throws `invalid_request` or `payload_too_large`. */
export function toNewTask(to: TaskAddress, input: NewInput, id: TaskId, nowMs: number): NewTask {
  assertInput(input, to.functionName);
  const { ttlMs, keepResultsMs, callbackUrl } = to.manifest.options;
  const dueAtMs = nowMs + input.delayMs;
  const livesMs = input.ttlMs ?? ttlMs;
  return {
    id,
    queue: to.queue,
    functionName: to.functionName,
    app: to.app,
    method: input.method,
    parameters: to.parameters.length === 0 ? "[]" : canonicalJson(to.parameters),
    encoding: input.encoding,
    reply: toReplyText(input),
    input: input.body ?? NO_INPUT,
    createdAtMs: nowMs,
    dueAtMs,
    priority: input.priorityMs / 1_000,
    expiresAtMs: livesMs === null ? null : dueAtMs + livesMs,
    concurrencyKey: input.concurrencyKey,
    idempotencyKey: input.idempotencyKey,
    idempotencyMs: IDEMPOTENCY_MS,
    keepMs: keepResultsMs,
    callbackUrl,
    tick: null,
  };
}

function assertInput({ body, delayMs, priorityMs, ttlMs, idempotencyKey, concurrencyKey }: NewInput, name: string): void {
  if (body && body.length > MAX_TASK_BYTES) {
    throw new SamovarError(
      "payload_too_large",
      `The input of a task of ${name} has ${body.length} bytes, and may have ${MAX_TASK_BYTES}: put what is larger into a file or a store, and queue where it is`,
    );
  }
  const wrong = (what: string): never => {
    throw new SamovarError("invalid_request", what);
  };
  for (const [what, ms] of [
    ["delay", delayMs],
    ["priority", priorityMs],
    ["ttl", ttlMs],
  ] as const) {
    const { minMs, maxMs, words } = TASK_TERMS[what];
    if (ms !== null && !(ms >= minMs && ms <= maxMs)) wrong(`${what} is ${ms} ms, but it is ${words}`);
  }
  for (const [what, key] of [
    ["idempotencyKey", idempotencyKey],
    ["concurrencyKey", concurrencyKey],
  ] as const) {
    if (key !== null && (key.length === 0 || key.length > MAX_TASK_KEY_LENGTH))
      wrong(`${what} has ${key.length} characters, but it has 1 to ${MAX_TASK_KEY_LENGTH}`);
  }
}
