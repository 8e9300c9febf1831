import { KIND_SEGMENTS, MAX_TASK_BYTES, SamovarError, show, toValueBody, type FunctionKind, type PutTask, type PutTasksResponse } from "@samovar/protocol";
import { describeNear } from "@samovar/kit";
import type { FunctionEntry, FunctionTable, NewInput } from "@samovar/scheduler";
import { assertApp, mayTouch, type Principal } from "../authenticator.ts";
import { tooLarge } from "../body-limits.ts";
import { readParameters } from "../query.ts";
import { findMethod } from "../route.ts";
import type { ApiContext } from "./api-route.ts";

/** What of a function is to be queued, as the request names it. */
export interface PutTarget {
  readonly idOrName: string;
  readonly method: string | undefined;
  /** With `?with=[…]`. */
  readonly query: string;
}

/** Queues tasks whose inputs came as JSON or, `asValue`, as values; resolves when all are on disk. */
export async function putTasks(
  { control, functions, isDraining }: ApiContext,
  principal: Principal,
  target: PutTarget,
  tasks: readonly PutTask[],
  asValue: boolean,
): Promise<PutTasksResponse> {
  if (isDraining()) throw new SamovarError("shutting_down", "The server is shutting down: queue it again when it is back");
  const { entry, pinned } = findFunction(functions, principal, target.idOrName);
  assertApp(principal, entry.app, `The function "${entry.name}"`);
  const method = findMethod(entry, target.method ?? "");
  if (entry.manifest.kind === "schedule") assertNoInput(entry.name, tasks);
  const toInput = asValue ? valueInput : jsonInput;
  const inputs = tasks.map((task, index) => ({ ...toInput(task, method, index), ...(pinned && { pinned }) }));
  return { tasks: await control.tasks.put(entry, readParameters(entry, target.query), inputs) };
}

/** Its moment is the server's to say, not its caller's. */
function assertNoInput(name: string, tasks: readonly PutTask[]): void {
  const index = tasks.findIndex(({ input, encodedInput }) => input !== undefined || encodedInput !== undefined);
  if (index === -1) return;
  throw new SamovarError(
    "invalid_request",
    `tasks.${index}: ${name} is a schedule, which has no input: leave it out, and it runs for the moment at which it begins`,
  );
}

const KINDS = Object.keys(KIND_SEGMENTS) as FunctionKind[];
const NAMED = /^(.+?)(?:@([1-9]\d{0,8}))?$/;

/** By id, by name, or by name and version. */
function findFunction(functions: FunctionTable, principal: Principal, idOrName: string): { readonly entry: FunctionEntry; readonly pinned: boolean } {
  const byId = functions.byId(idOrName);
  if (byId) return { entry: byId, pinned: true };
  const [, name = "", version] = NAMED.exec(idOrName) ?? [];
  for (const kind of KINDS) {
    const entry = functions.byName(kind, name, version === undefined ? undefined : Number(version));
    if (entry) return { entry, pinned: version !== undefined };
  }
  const names = functions.list().flatMap((entry) => (mayTouch(principal, entry.app) ? [entry.name] : []));
  throw new SamovarError("not_found", `No function has the name or id ${show(idOrName)}${describeNear(name, [...new Set(names)], "functions")}`);
}

function jsonInput(task: PutTask, method: string | null, index: number): NewInput {
  const body = task.input === undefined ? null : Buffer.from(JSON.stringify(task.input));
  return toInput(task, method, index, { encoding: body ? "json" : "none", reply: "http", stream: "ndjson", body });
}

function valueInput(task: PutTask, method: string | null, index: number): NewInput {
  const body = toValueBody(task);
  return toInput(task, method, index, { encoding: body ? "value" : "none", reply: "value", stream: "values", body });
}

function toInput(task: PutTask, method: string | null, index: number, content: Pick<NewInput, "encoding" | "reply" | "stream" | "body">): NewInput {
  if (content.body && content.body.length > MAX_TASK_BYTES) {
    const { message, fields } = tooLarge(content.body.length, MAX_TASK_BYTES);
    throw new SamovarError("payload_too_large", `tasks.${index}: ${message}`, { fields });
  }
  return {
    ...content,
    method,
    request: null,
    delayMs: task.delayMs ?? 0,
    priorityMs: task.priorityMs ?? 0,
    ttlMs: task.ttlMs ?? null,
    idempotencyKey: task.idempotencyKey ?? null,
    concurrencyKey: task.concurrencyKey ?? null,
  };
}
