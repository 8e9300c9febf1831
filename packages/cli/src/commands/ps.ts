import type { FunctionInfo } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { Colors } from "../output/colors.ts";
import { describeContainers, paintState } from "../output/pool-cells.ts";
import { renderTable } from "../output/table.ts";
import type { JsonFlag } from "../flags.ts";
import { withServer } from "../server-link/with-server.ts";

/** Every function that a server knows, with the reason for each that is not serving. */
export async function ps(context: CommandContext, options: JsonFlag): Promise<ExitCode> {
  const { screen } = context;
  return await withServer(context, async (client, signal) => {
    const functions = await client.functions(signal);
    if (options.json) screen.print(`${JSON.stringify({ functions })}\n`);
    else if (functions.length > 0) screen.print(renderFunctions(functions, screen.colors));
    else screen.note("Nothing runs here: `samovar serve FILE` or `samovar run FILE` bring functions");
    return 0;
  });
}

function renderFunctions(functions: readonly FunctionInfo[], colors: Colors): string {
  return renderTable(
    functions,
    [
      { title: "NAME", cell: (fn) => fn.name },
      { title: "KIND", cell: (fn) => fn.kind },
      { title: "APP", cell: (fn) => fn.app },
      { title: "VERSION", align: "right", cell: (fn) => String(fn.version) },
      { title: "STATE", cell: (fn) => paintState(fn.state, colors) },
      { title: "CONTAINERS", cell: (fn) => describeContainers(fn.containers) },
      { title: "PENDING", align: "right", cell: (fn) => String(fn.pending) },
      { title: "RUNNING", align: "right", cell: (fn) => String(fn.running) },
      { title: "FROM", cell: (fn) => fn.session ?? "deployed" },
    ],
    (fn) => fn.reason,
  );
}
