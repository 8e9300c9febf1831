import { describeNear } from "@samovar/kit";
import { SamovarError, type FunctionInfo } from "@samovar/protocol";
import type { ControlClient } from "../client/control-client.ts";
import type { TaskFilterFlags } from "../flags.ts";

/** Apps of all that is deployed or served. */
export const toApps = (functions: readonly FunctionInfo[]): readonly string[] => [...new Set(functions.map(({ app }) => app))];

/** What is deployed or served; undefined for a token that may not see it. */
async function listFunctions(client: ControlClient, signal: AbortSignal): Promise<readonly FunctionInfo[] | undefined> {
  try {
    return await client.functions(signal);
  } catch (error) {
    if (error instanceof SamovarError && error.code === "forbidden") return undefined;
    throw error;
  }
}

/**
 * Asked where no task matches: a misspelt name matches none either. Throws `not_found` with near names where no function,
 * or no app, has the name that is given and none of its tasks is kept.
 */
export async function assertKnown(
  client: ControlClient,
  { function: name, app }: Pick<TaskFilterFlags, "function" | "app">,
  signal: AbortSignal,
): Promise<void> {
  if (name === undefined && app === undefined) return;
  const functions = await listFunctions(client, signal);
  if (!functions) return;
  const given = [
    { noun: "function", text: name, names: functions.map((fn) => fn.name) },
    { noun: "app", text: app, names: toApps(functions) },
  ];
  for (const { noun, text, names } of given) {
    // Case doesn't matter in names of functions.
    if (text === undefined || names.some((each) => each === text || (noun === "function" && each.toLowerCase() === text.toLowerCase()))) continue;
    const query = noun === "function" ? { function: text } : { app: text };
    if ((await client.tasks.list({ ...query, limit: 1 }, signal)).tasks.length > 0) continue;
    throw new SamovarError("not_found", `No ${noun} is named ${JSON.stringify(text)}, and no task is of one${describeNear(text, names, `${noun}s`)}`, {
      fields: { fix: "`samovar ps` shows what there is" },
    });
  }
}
