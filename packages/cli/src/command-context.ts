import type { Interrupt } from "./interrupt.ts";
import type { CliIo } from "./io.ts";
import type { Screen } from "./output/screen.ts";
import type { Settings } from "./settings.ts";

/** What every command gets. */
export interface CommandContext {
  readonly io: CliIo;
  readonly settings: Settings;
  readonly screen: Screen;
  readonly interrupt: Interrupt;
}

/** A command's exit code. What it throws is reported and gives 1, or 130 for an interrupt, or that of an `ExitError`. */
export type ExitCode = number;

/** A failure that has an exit code of its own. What is reported is `cause`. */
export class ExitError extends Error {
  override readonly name = "ExitError";
  readonly exitCode: ExitCode;

  constructor(cause: unknown, exitCode: ExitCode) {
    super(`It ends with ${exitCode}`, { cause });
    this.exitCode = exitCode;
  }
}
