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

/** A command's exit code. What it throws is reported and gives 1, or 130 for an interrupt. */
export type ExitCode = number;
