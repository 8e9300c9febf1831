import type { ContainerInfo } from "@samovar/protocol";
import { attach, assertTerminal } from "../exec/attach.ts";
import type { ControlClient } from "../client/control-client.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import { findContainer } from "../find-container.ts";
import type { ShellFlags } from "../flags.ts";
import { chooseContainer } from "../exec/choose-container.ts";
import { withServer } from "../server-link/with-server.ts";

export interface ShellOptions extends ShellFlags {
  readonly target: string | undefined;
}

/** bash where there is one. Not a login shell: that would put its own variables in the place of the container's. */
const SHELL = "if command -v bash > /dev/null; then exec bash; else exec sh; fi";

/** A terminal in a container: in one that lives, or in one that is started for it and ends with it. */
export async function shell(context: CommandContext, options: ShellOptions): Promise<ExitCode> {
  assertTerminal(context.io.terminal);
  const argv = ["sh", "-c", options.cmd ?? SHELL];
  if (isModule(options.target)) return (await import("../exec/module-shell.ts")).moduleShell(context, { ...options, target: options.target }, argv);
  return await withServer(context, async (client) => {
    const container = await find(context, client, options.target);
    return await attach(context, client, container.id, { argv, interactive: true, terminal: true });
  });
}

/** Names of functions and containers have neither a dot nor a slash nor a colon, and modules have one. */
const isModule = (target: string | undefined): target is string => target !== undefined && /[./:]/.test(target);

async function find({ interrupt }: CommandContext, client: ControlClient, target: string | undefined): Promise<ContainerInfo> {
  const { signal } = interrupt;
  if (target?.startsWith("ct_")) return findContainer(client, target, signal);
  const [containers, functions] = await Promise.all([client.containers({ all: false }, signal), client.functions(signal)]);
  return chooseContainer(target, containers, functions);
}
