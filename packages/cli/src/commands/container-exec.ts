import { attach, assertTerminal } from "../exec/attach.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import { findContainer } from "../find-container.ts";
import type { ExecFlags } from "../flags.ts";
import { withServer } from "../server-link/with-server.ts";

export interface ContainerExecOptions extends ExecFlags {
  readonly id: string;
  readonly command: readonly string[];
}

/** Runs a program in a container; its exit code is this command's. */
export async function containerExec(context: CommandContext, options: ContainerExecOptions): Promise<ExitCode> {
  const terminal = options.terminal ?? false;
  if (terminal) assertTerminal(context.io.terminal);
  return await withServer(context, async (client, signal) => {
    const container = await findContainer(client, options.id, signal);
    const { command: argv, cwd, env, interactive = false } = options;
    return await attach(context, client, container.id, { argv, cwd, env, interactive, terminal });
  });
}
