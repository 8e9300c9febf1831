import type { Logger } from "@samovar/kit";
import { parseQueueName, type TaskQueues } from "@samovar/scheduler";
import type { FunctionRegistry } from "../apps/function-registry.ts";
import { abandonQueues } from "./serving.ts";

/** What the server knows of names that have tasks. */
export interface KnownNames {
  readonly registry: Pick<FunctionRegistry, "byKey">;
  /** Something is deployed there, served or stopped. */
  isDeployed(name: string): boolean;
  /** A server of `run` or `serve` leaves what is deployed to one that stays. */
  readonly embedded: boolean;
}

/**
 * What an earlier server left to whoever serves it now: a version that is called beside the active one serves its own,
 * and what nobody can serve any more is cancelled (tasks of sessions, which end with their server, and of what was deleted).
 *
 * All of that has begun when it returns, so that nothing of what comes is taken for what was left. Resolves when it is
 * done; what can't be cancelled now is logged and left to the next start, and no reason for a server not to serve.
 */
export async function settleLeftTasks(bases: ReadonlySet<string>, queues: TaskQueues, known: KnownNames, logger: Logger): Promise<void> {
  const cancelled: Promise<void>[] = [];
  for (const base of bases) {
    if (queues.isServed(base)) continue;
    const { session, name, version } = parseQueueName(base);
    if (session === null && (known.embedded || known.isDeployed(base))) continue;
    const runtime = session !== null || version === null ? undefined : known.registry.byKey(name, version);
    if (runtime) queues.serve(base, runtime);
    else cancelled.push(abandonQueues(queues, base, logger));
  }
  await Promise.all(cancelled);
}
