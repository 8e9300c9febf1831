import { SamovarError, type ScalingPatch } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { ScaleFlags } from "../flags.ts";
import { withServer } from "../server-link/with-server.ts";
import { describeScaling } from "./deployment-inspect.ts";

export interface ScaleOptions extends ScaleFlags {
  readonly name: string;
  /** The floor, as an argument. */
  readonly containers?: number | undefined;
}

export async function deploymentScale(context: CommandContext, options: ScaleOptions): Promise<ExitCode> {
  const patch = toPatch(options);
  return await withServer(context, async (client, signal) => {
    const info = await client.scale(options.name, patch, signal);
    context.screen.print(options.json ? `${JSON.stringify(info)}\n` : `${info.name} scales with ${describeScaling(patch)}, until its next deploy\n`);
    return 0;
  });
}

function toPatch(options: ScaleOptions): ScalingPatch {
  if (options.containers !== undefined && options.min !== undefined) {
    throw new SamovarError("invalid_request", `The floor is given twice: ${options.containers} and --min ${options.min}`, {
      fields: { fix: "Leave out one of them" },
    });
  }
  const min = options.containers ?? options.min;
  const patch: ScalingPatch = {
    ...(min === undefined ? {} : { minContainers: min }),
    ...(options.max === undefined ? {} : { maxContainers: options.max === "none" ? null : options.max }),
    ...(options.buffer === undefined ? {} : { bufferContainers: options.buffer }),
    ...(options.window === undefined ? {} : { scaledownWindowMs: options.window === "never" ? null : options.window }),
    ...(options.tasks === undefined ? {} : { tasksPerContainer: options.tasks }),
  };
  if (Object.keys(patch).length > 0) return patch;
  throw new SamovarError("invalid_request", "Nothing is said about how to scale", {
    fields: { fix: `Write samovar deployment scale ${options.name} 2, or use --min, --max, --buffer, --window or --tasks` },
  });
}
