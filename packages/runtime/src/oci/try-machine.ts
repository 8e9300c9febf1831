import { SamovarError } from "@samovar/protocol";
import type { ContainerNetworks } from "../network/container-network.ts";
import { chooseRuntime, type Choice } from "./choose-runtime.ts";
import type { Verdict } from "./kept-verdict.ts";
import type { RuntimeProgram } from "./runtime-program.ts";
import type { SeccompProfile } from "./seccomp.ts";
import type { Workshop } from "./workshop.ts";

/** How this machine's containers are started. */
export interface Findings {
  readonly choice: Choice;
  /** Why containers have no disks of their own; null: they have. */
  readonly withoutDisks: string | null;
}

export interface TryMachineOptions {
  readonly workshop: Workshop;
  readonly programs: readonly RuntimeProgram[];
  readonly seccomp: SeccompProfile | null;
  readonly ids: { readonly uid: number; readonly gid: number };
  /** The containers' folder, and where in it those of trials get theirs. */
  readonly home: string;
  readonly folder: string;
}

/** Finds out by trying. Rejects with `unsupported` and what each runtime said. */
export async function tryMachine({ workshop, ...options }: TryMachineOptions): Promise<Findings> {
  const ground = await workshop.ground.catch((error: unknown) => {
    throw new SamovarError("unsupported", `Containers can't be isolated here: ${(error as Error).message}. Run the server as root on Linux`, { cause: error });
  });
  const choice = await chooseRuntime({ ...options, ...ground });
  if ("failures" in choice) throw new SamovarError("unsupported", `No container can be started here: ${choice.failures.join("; ")}`);
  const { withoutDisks } = await workshop.tools;
  return { choice, withoutDisks };
}

export function toFindings({ runtime, userNamespace, withoutDisks }: Verdict, programs: readonly RuntimeProgram[]): Findings {
  return { choice: { program: programs.find(({ name }) => name === runtime)!, userNamespace }, withoutDisks };
}

export function toVerdict({ choice, withoutDisks }: Findings, { probe }: ContainerNetworks): Verdict {
  return { runtime: choice.program.name, userNamespace: choice.userNamespace, withoutDisks, networks: probe };
}
