import type { LeftContainer, TaskQueues } from "@samovar/scheduler";
import type { DeploymentRecord, LeftTask, LivingContainer, VersionRecord } from "@samovar/storage";
import type { FunctionRegistry } from "../apps/function-registry.ts";

/** As they are recorded: `returning` is one that was ready for a server before, which the last one had not got back yet. */
const COMES_BACK: ReadonlySet<string> = new Set(["ready", "returning", "draining"]);

/**
 * Which containers of an earlier server are awaited: those that had been ready to serve a version that is deployed. Of a deployment that
 * is stopped they go on draining. What was starting or stopping, and what belonged to a session, ends by itself.
 */
export function selectReturning(
  living: readonly LivingContainer[],
  { deployments, versions }: { readonly deployments: readonly DeploymentRecord[]; readonly versions: readonly VersionRecord[] },
  /** Whose processes live. */
  left: ReadonlySet<string>,
): LeftContainer[] {
  const isOf = (version: VersionRecord, name: string): boolean => version.name.toLowerCase() === name.toLowerCase();
  const served = new Set(
    deployments.flatMap(({ name, activeVersion }) => {
      const own = versions.filter((version) => isOf(version, name));
      return own.some(({ version }) => version === activeVersion) ? own.map(({ functionId }) => functionId) : [];
    }),
  );
  return living.flatMap(({ info, facts }) =>
    facts !== null && COMES_BACK.has(info.state) && left.has(info.id) && served.has(info.functionId) ? [{ info, facts }] : [],
  );
}

/** From now on they are awaited, and the tasks that run in them. Before anything else could start in their place. */
export function takeBack(
  returning: readonly LeftContainer[],
  running: readonly LeftTask[],
  { registry, queues }: { readonly registry: Pick<FunctionRegistry, "byId">; readonly queues: TaskQueues },
): void {
  for (const container of returning) {
    const { id, functionId } = container.info;
    const runtime = registry.byId(functionId)!;
    for (const task of running) if (task.containerId === id) queues.takeBack(task, runtime);
    // Its tasks are done again.
    if (!runtime.takeBack(container)) queues.left.settle(id);
  }
}
