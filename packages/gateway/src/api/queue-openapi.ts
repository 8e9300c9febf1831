import { CONTENT_TYPES, HEADERS, type FunctionKind } from "@samovar/protocol";
import { MAX_TASK_KEY_LENGTH } from "@samovar/protocol";
import type { JsonSchema } from "./embedded-schemas.ts";

/** How the calls of a kind are queued, in the words of OpenAPI: components, and what operations take of them. */
export interface QueueOpenApi {
  readonly components: { readonly parameters: Readonly<Record<string, JsonSchema>>; readonly responses: Readonly<Record<string, JsonSchema>> };
  readonly parameters: readonly JsonSchema[];
  readonly responses: Readonly<Record<string, JsonSchema>>;
}

const PREFER: Readonly<Record<FunctionKind, string>> = {
  endpoint: "`respond-async`: the call is queued, and answered with 202; with `wait=30` as well only if it isn't over by then.",
  cls: "`respond-async`: the call is queued, and answered with 202; with `wait=30` as well only if it isn't over by then.",
  function:
    "`wait`: the answer is the result, by a call that ends with its caller. `wait=30`: the call is queued, and the answer is the result if it is there within so many seconds, at most 300; else, and without it, 202. The task goes on.",
  taskqueue: "`wait`, or `wait=30`: the answer is the result if it is there within so many seconds, at most 300; else, and without it, 202. The task goes on.",
  schedule: "`wait`, or `wait=30`: the answer is the result if it is there within so many seconds, at most 300; else, and without it, 202. The task goes on.",
};

const DURATION: JsonSchema = { type: "string", examples: ["30", "500ms", "5m"] };

function header(name: string, description: string, schema: JsonSchema): JsonSchema {
  return { name, in: "header", required: false, description, schema };
}

export function createQueueOpenApi(kind: FunctionKind): QueueOpenApi {
  const key = { type: "string", minLength: 1, maxLength: MAX_TASK_KEY_LENGTH };
  const parameters = {
    Prefer: header("Prefer", PREFER[kind], { type: "string", examples: ["wait", "wait=30", "respond-async"] }),
    IdempotencyKey: header(
      HEADERS.idempotencyKey,
      "The same key within 24 hours is the same call: it is done once, whoever leaves meanwhile, and answered each time as the first time.",
      key,
    ),
    Delay: header(HEADERS.delay, "Of a queued call: not before so long from now.", DURATION),
    Priority: header(HEADERS.priority, "Of a queued call: a head start over others, as if it had waited so long already. May be negative.", DURATION),
    Ttl: header(HEADERS.ttl, "Of a queued call: it expires when no attempt has begun by then.", DURATION),
    ConcurrencyKey: header(HEADERS.concurrencyKey, "Of a queued call: those of one key run one after another, in the order of their coming.", key),
  };
  const queued: JsonSchema = {
    description: "It is queued, and on disk",
    headers: {
      location: { description: "Where the task is told", schema: { type: "string" } },
      [HEADERS.taskId]: { schema: { type: "string" } },
    },
    content: { [CONTENT_TYPES.json]: { schema: { type: "object", properties: { taskId: { type: "string" } }, required: ["taskId"] } } },
  };
  return {
    components: { parameters, responses: { Queued: queued } },
    parameters: Object.keys(parameters).map((name) => ({ $ref: `#/components/parameters/${name}` })),
    responses: { 202: { $ref: "#/components/responses/Queued" } },
  };
}
