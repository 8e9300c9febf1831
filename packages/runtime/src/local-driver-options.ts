import type { Clock, Logger } from "@samovar/kit";
import type { Gpus } from "./gpu/gpus.ts";

/** What every driver of this machine's own processes is made with. */
export interface LocalDriverOptions {
  /** Where containers get their folders. Belongs to this driver alone: what it finds there is left from a dead server. */
  readonly home: string;
  /** The `node` that containers run. */
  readonly nodePath: string;
  /** The runner, one file. */
  readonly runnerFile: string;
  /** Arguments of `node` before the runner's file. */
  readonly nodeArguments?: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Those of this machine. Absent: containers get none; without isolation they see those that there are. */
  readonly gpus?: Gpus;
}
