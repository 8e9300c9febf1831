import type { DeploymentDetail, ScalingPatch, VersionInfo } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { JsonFlag } from "../flags.ts";
import type { Colors } from "../output/colors.ts";
import { formatDuration } from "../output/durations.ts";
import { describeContainers, paintState } from "../output/pool-cells.ts";
import { renderTable } from "../output/table.ts";
import { withServer } from "../server-link/with-server.ts";

export async function deploymentInspect(context: CommandContext, options: JsonFlag & { readonly name: string }): Promise<ExitCode> {
  const { screen } = context;
  return await withServer(context, async (client, signal) => {
    const detail = await client.deployment(options.name, signal);
    screen.print(options.json ? `${JSON.stringify(detail)}\n` : renderDetail(detail, context.io.clock.now(), screen.colors));
    return 0;
  });
}

function renderDetail(detail: DeploymentDetail, nowMs: number, colors: Colors): string {
  const { pool } = detail;
  const scaled = describeScaling(detail.scaling);
  const lines = [
    `${colors.bold(detail.name)}  ${paintState(detail.state === "stopped" ? "stopped" : pool.state, colors)}${pool.reason === null ? "" : `: ${pool.reason.replaceAll("\n", "\n          ")}`}`,
    `function  ${detail.kind}, version ${detail.activeVersion}, app ${detail.app} ${colors.dim(detail.id)}`,
    `url       ${colors.cyan(detail.url)}`,
    `pool      ${describeContainers(pool.containers)}; ${pool.pending} pending, ${pool.running} running`,
    ...(scaled === "" ? [] : [`scaled    ${scaled} ${colors.dim("(since the last deploy)")}`]),
    `deployed  ${formatDuration(nowMs - detail.deployedAtMs)} ago`,
  ];
  return `${lines.join("\n")}\n\n${renderVersions(detail.versions, nowMs, colors)}`;
}

function renderVersions(versions: readonly VersionInfo[], nowMs: number, colors: Colors): string {
  return renderTable(
    versions,
    [
      { title: "VERSION", align: "right", cell: (each) => String(each.version) },
      { title: "", cell: (each) => (each.active ? colors.green("active") : "") },
      { title: "STATE", cell: (each) => paintState(each.pool.state, colors) },
      { title: "CONTAINERS", cell: (each) => describeContainers(each.pool.containers) },
      { title: "DEPLOYED", align: "right", cell: (each) => `${formatDuration(nowMs - each.deployedAtMs)} ago` },
      { title: "CODE", cell: (each) => each.codeId.slice(0, 12) },
      { title: "DEPLOY", cell: (each) => each.deployId },
      { title: "URL", cell: (each) => each.url },
    ],
    (each) => (each.active ? null : each.pool.reason),
  );
}

/** `min 2, max none, window 5 min`; empty where nothing was scaled. */
export function describeScaling(patch: ScalingPatch): string {
  const parts = [
    patch.minContainers === undefined ? "" : `min ${patch.minContainers}`,
    patch.maxContainers === undefined ? "" : `max ${patch.maxContainers ?? "none"}`,
    patch.bufferContainers === undefined ? "" : `buffer ${patch.bufferContainers}`,
    patch.scaledownWindowMs === undefined ? "" : `window ${patch.scaledownWindowMs === null ? "never" : formatDuration(patch.scaledownWindowMs)}`,
    patch.tasksPerContainer === undefined ? "" : `tasks ${patch.tasksPerContainer === 0 ? "as defined" : patch.tasksPerContainer}`,
  ];
  return parts.filter((part) => part !== "").join(", ");
}
