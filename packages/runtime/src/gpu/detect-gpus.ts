import { systemClock, type Clock, type Logger } from "@samovar/kit";
import { toGpuName, type GpuDevice } from "@samovar/protocol";
import { runProgram, type RunProgram } from "./run-program.ts";

/** A GPU of this machine. Its id is the driver's UUID, which stays when others are taken out. */
export interface DetectedGpu extends GpuDevice {
  /** Its number in the order of the driver's tools. */
  readonly index: number;
}

export interface DetectGpusOptions {
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly run?: RunProgram;
}

const QUERY = ["nvidia-smi", "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits"] as const;
/** A driver that takes longer has a GPU that hangs: the server starts without. */
const TIMEOUT_MS = 2_000;

/**
 * The GPUs that `nvidia-smi` lists. Without the program there are none; where it fails, hangs or says what can't be read there
 * are none either, and the log says why. Never rejects.
 */
export async function detectGpus({ logger, clock = systemClock, run = runProgram }: DetectGpusOptions): Promise<readonly DetectedGpu[]> {
  const warn = (reason: string): readonly DetectedGpu[] => {
    logger.warn({ program: QUERY[0], reason }, "This machine's GPUs can't be listed, so none are used");
    return [];
  };
  const timeout = new AbortController();
  const late = Promise.withResolvers<"late">();
  const cancel = clock.after(TIMEOUT_MS, () => {
    timeout.abort();
    late.resolve("late");
  });
  try {
    const end = await Promise.race([run(QUERY, timeout.signal), late.promise]);
    if (end === "late") return warn(`it did not answer within ${TIMEOUT_MS / 1_000} s`);
    if (end.exitCode !== 0) return warn(`it ended with ${end.exitCode ?? "a signal"}: ${(end.stderr || end.stdout).trim().slice(0, 500)}`);
    const { gpus, unread } = parseGpuList(end.stdout);
    if (unread.length > 0) logger.warn({ program: QUERY[0], lines: unread }, "Lines of the list of GPUs can't be read, so these are not used");
    return gpus;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    return warn((error as Error).message);
  } finally {
    cancel();
  }
}

/** One line for each: `0, GPU-5d6d…, NVIDIA A100-SXM4-80GB, 81920`. */
export function parseGpuList(text: string): { readonly gpus: readonly DetectedGpu[]; readonly unread: readonly string[] } {
  const gpus: DetectedGpu[] = [];
  const unread: string[] = [];
  for (const line of text.split("\n").map((one) => one.trim())) {
    if (line === "") continue;
    // Where memory is the machine's own there is no number of it.
    const match = /^(\d+), *(GPU-[\w-]+), *(.+), *(\d+|\[?N\/A\]?)$/.exec(line);
    if (match) gpus.push({ index: Number(match[1]), id: match[2]!, name: toGpuName(match[3]!), memoryMib: Number.parseInt(match[4]!, 10) || 0 });
    else unread.push(line.slice(0, 200));
  }
  return { gpus, unread };
}
