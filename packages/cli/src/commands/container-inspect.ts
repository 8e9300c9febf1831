import type { ContainerInfo } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "../command-context.ts";
import { findContainer } from "../find-container.ts";
import type { Colors } from "../output/colors.ts";
import { formatTime } from "../output/durations.ts";
import { renderWaterfall } from "../output/waterfall.ts";
import type { JsonFlag } from "../flags.ts";
import { withServer } from "../server-link/with-server.ts";

export async function containerInspect(context: CommandContext, options: JsonFlag & { readonly id: string }): Promise<ExitCode> {
  const { screen } = context;
  return await withServer(context, async (client, signal) => {
    const container = await findContainer(client, options.id, signal);
    if (options.json) screen.print(`${JSON.stringify(container)}\n`);
    else screen.print(`${renderHead(container, screen.colors)}\n${renderWaterfall(container, { width: screen.width, color: screen.colors.enabled })}`);
    return 0;
  });
}

function renderHead(container: ContainerInfo, colors: Colors): string {
  const { inputs } = container;
  const lines = [
    `${colors.bold(container.id)}  ${container.state}${container.reason ? `: ${container.reason}` : ""}`,
    `function  ${container.function}, version ${container.version}, app ${container.app} ${colors.dim(container.functionId)}`,
    ...(container.parameters.length > 0 ? [`with      ${JSON.stringify(container.parameters)}`] : []),
    `driver    ${container.driver}${container.pid === null ? "" : `, pid ${container.pid}`}, ${container.workers} ${container.workers === 1 ? "worker" : "workers"}`,
    `inputs    ${inputs.running} running, ${inputs.done} done, ${inputs.failed} failed`,
    `started   ${formatTime(container.startedAtMs)}${container.endedAtMs === null ? "" : `, ended ${formatTime(container.endedAtMs)}`}`,
  ];
  return `${lines.join("\n")}\n`;
}
