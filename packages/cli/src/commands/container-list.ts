import type { ContainerInfo } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "../command-context.ts";
import { formatDuration } from "../output/durations.ts";
import { renderTable } from "../output/table.ts";
import type { JsonFlag } from "../flags.ts";
import { withServer } from "../server-link/with-server.ts";

export async function containerList(context: CommandContext, options: JsonFlag & { readonly all?: boolean }): Promise<ExitCode> {
  const { screen } = context;
  return await withServer(context, async (client, signal) => {
    const containers = await client.containers({ all: options.all ?? false }, signal);
    if (options.json) screen.print(`${JSON.stringify({ containers })}\n`);
    else if (containers.length > 0) screen.print(renderContainers(containers, context.io.clock.now()));
    else screen.note(options.all ? "No containers" : "No containers live now; --all shows those that ended lately");
    return 0;
  });
}

function renderContainers(containers: readonly ContainerInfo[], nowMs: number): string {
  return renderTable(
    containers,
    [
      { title: "ID", cell: (each) => each.id },
      { title: "FUNCTION", cell: (each) => each.function },
      { title: "VERSION", align: "right", cell: (each) => String(each.version) },
      { title: "STATE", cell: (each) => each.state },
      { title: "WORKERS", align: "right", cell: (each) => String(each.workers) },
      { title: "RUNNING", align: "right", cell: (each) => String(each.inputs.running) },
      { title: "DONE", align: "right", cell: (each) => String(each.inputs.done) },
      { title: "FAILED", align: "right", cell: (each) => String(each.inputs.failed) },
      { title: "AGE", align: "right", cell: (each) => formatDuration((each.endedAtMs ?? nowMs) - each.startedAtMs) },
    ],
    (each) => each.reason,
  );
}
