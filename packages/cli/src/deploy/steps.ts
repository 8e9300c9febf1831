import type { CommandContext } from "../command-context.ts";
import type { Progress } from "../output/screen.ts";

/** Steps of a work that takes a while: a terminal sees the current one, a CI's log a line for each. */
export function showSteps({ io, screen }: Pick<CommandContext, "io" | "screen">, first: string): Progress {
  if (io.stderr.isTTY) return screen.progress(first);
  let last = "";
  const update = (message: string): void => {
    if (message !== last) screen.note(screen.noteColors.dim(message));
    last = message;
  };
  update(first);
  return { update, done() {} };
}
