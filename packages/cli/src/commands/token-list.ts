import type { TokenInfo } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { JsonFlag } from "../flags.ts";
import { formatDuration } from "../output/durations.ts";
import { renderTable } from "../output/table.ts";
import { withServer } from "../server-link/with-server.ts";

export async function tokenList(context: CommandContext, options: JsonFlag): Promise<ExitCode> {
  const { screen } = context;
  return await withServer(context, async (client, signal) => {
    const tokens = await client.tokens(signal);
    if (options.json) screen.print(`${JSON.stringify({ tokens })}\n`);
    else if (tokens.length > 0) screen.print(renderTokens(tokens, context.io.clock.now()));
    else screen.note("No tokens: `samovar token create NAME` makes one");
    return 0;
  });
}

function renderTokens(tokens: readonly TokenInfo[], nowMs: number): string {
  return renderTable(tokens, [
    { title: "ID", cell: (each) => each.id },
    { title: "NAME", cell: (each) => each.name },
    { title: "SCOPES", cell: (each) => each.scopes.join(",") },
    { title: "APP", cell: (each) => each.app ?? "all" },
    { title: "CREATED", align: "right", cell: (each) => `${formatDuration(nowMs - each.createdAtMs)} ago` },
    { title: "EXPIRES", cell: (each) => describeEnd(each.expiresAtMs, nowMs) },
  ]);
}

function describeEnd(atMs: number | null, nowMs: number): string {
  if (atMs === null) return "never";
  return atMs > nowMs ? `in ${formatDuration(atMs - nowMs)}` : `${formatDuration(nowMs - atMs)} ago`;
}
