import { DEFAULT_OPTIONS, SamovarError } from "@samovar/protocol";
import type { NewInput } from "@samovar/scheduler";
import type { TaskAddress } from "./task-request.ts";

/** What callers without a token may have waiting at one function, and each of it. */
const STRANGERS = Object.freeze({ tasks: DEFAULT_OPTIONS.maxPendingTasks ?? 1_000, bytes: 1024 * 1024 });

/** How many tasks may wait at a function, for whichever version, and who says so. */
export interface TaskBound {
  readonly most: number;
  /** Counted over all constructor arguments together: callers choose them. */
  readonly ofFunction: boolean;
  /** Where that is no more: the rest of what the refusal says. */
  readonly why: string;
}

/** The bounds of what these inputs are put into. What anybody may call, anybody may queue: so much of it, and no more, as calls without a queue. */
export function toBounds({ manifest }: TaskAddress, inputs: readonly NewInput[]): readonly TaskBound[] {
  const { maxPendingTasks, taskLimit = null } = manifest.options;
  const own = manifest.kind === "taskqueue" ? maxPendingTasks : taskLimit;
  const bounds: TaskBound[] = own === null ? [] : [{ most: own, ofFunction: false, why: ` (maxPendingTasks ${own})` }];
  if (inputs.some(({ anonymous }) => anonymous))
    bounds.push({ most: STRANGERS.tasks, ofFunction: true, why: ", and callers without a token may not add to that" });
  return bounds;
}

/** The idempotency keys of inputs that may stand for earlier ones. */
export const keysOf = (inputs: readonly NewInput[]): string[] => inputs.flatMap(({ idempotencyKey }) => idempotencyKey ?? []);

/** How many tasks these would be, where some of their keys stand for tasks that are there. */
export function countNew(inputs: readonly NewInput[], known: ReadonlySet<string>): number {
  const keys = keysOf(inputs);
  return inputs.length - keys.length + new Set(keys.filter((key) => !known.has(key))).size;
}

export function assertRoom(bound: TaskBound, { functionName }: TaskAddress, pending: number, count: number): void {
  if (count === 0 || pending + count <= bound.most) return;
  throw new SamovarError("too_many_pending", `${pending} tasks of ${functionName} are waiting already${bound.why}; try again in a moment`);
}

/** Of callers without a token. */
export function assertSmall({ functionName }: TaskAddress, inputs: readonly NewInput[]): void {
  const large = inputs.find(({ body, anonymous }) => anonymous && body && body.length > STRANGERS.bytes);
  if (!large) return;
  throw new SamovarError(
    "payload_too_large",
    `The input of a task of ${functionName} has ${large.body!.length} bytes, and may have ${STRANGERS.bytes} from a caller without a token`,
  );
}
