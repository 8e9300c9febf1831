import type { CommandContext, ExitCode } from "../command-context.ts";

/** A parsed command line: what to run. */
export type Invocation = (context: CommandContext) => Promise<ExitCode>;

/** How a command that was parsed says what is to be run. */
export type Choose = (invocation: Invocation) => void;
