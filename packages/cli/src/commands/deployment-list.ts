import type { DeploymentInfo } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { JsonFlag } from "../flags.ts";
import type { Colors } from "../output/colors.ts";
import { formatDuration } from "../output/durations.ts";
import { describeContainers, paintState } from "../output/pool-cells.ts";
import { renderTable } from "../output/table.ts";
import { withServer } from "../server-link/with-server.ts";

export async function deploymentList(context: CommandContext, options: JsonFlag): Promise<ExitCode> {
  const { screen } = context;
  return await withServer(context, async (client, signal) => {
    const deployments = await client.deployments(signal);
    if (options.json) screen.print(`${JSON.stringify({ deployments })}\n`);
    else if (deployments.length > 0) screen.print(renderDeployments(deployments, context.io.clock.now(), screen.colors));
    else screen.note("Nothing is deployed here: `samovar deploy FILE` deploys a module's functions");
    return 0;
  });
}

export function renderDeployments(deployments: readonly DeploymentInfo[], nowMs: number, colors: Colors): string {
  return renderTable(
    deployments,
    [
      { title: "NAME", cell: (each) => each.name },
      { title: "KIND", cell: (each) => each.kind },
      { title: "APP", cell: (each) => each.app },
      { title: "VERSION", align: "right", cell: (each) => String(each.activeVersion) },
      { title: "STATE", cell: (each) => paintState(each.state === "stopped" ? "stopped" : each.pool.state, colors) },
      { title: "CONTAINERS", cell: (each) => describeContainers(each.pool.containers) },
      { title: "PENDING", align: "right", cell: (each) => String(each.pool.pending) },
      { title: "RUNNING", align: "right", cell: (each) => String(each.pool.running) },
      { title: "DEPLOYED", align: "right", cell: (each) => `${formatDuration(nowMs - each.deployedAtMs)} ago` },
    ],
    (each) => each.pool.reason,
  );
}
