import { resolve } from "node:path";
import { SamovarError } from "@samovar/protocol";
import type { ExecCommand } from "../driver.ts";
import type { ExecLaunch } from "./exec-launch.ts";
import { assertFolder, findProgram } from "./find-program.ts";

export interface ProcessExecPlace {
  readonly containerId: string;
  /** Of the container's own process. */
  readonly environment: Readonly<Record<string, string>>;
  readonly codePath: string;
}

/**
 * What a program gets in a container of the process driver: all that the container's own process has. Its token too:
 * whoever may run programs there can read it anyway.
 */
export async function planProcessExec(command: ExecCommand, { containerId, environment, codePath }: ProcessExecPlace): Promise<ExecLaunch> {
  const [program, ...args] = command.argv;
  if (program === undefined) throw new SamovarError("invalid_request", "There is no program to run: the list of arguments is empty");
  const cwd = resolve(codePath, command.cwd ?? ".");
  await assertFolder(cwd);
  // By this variable its processes are found again, where no control group knows them.
  const variables: Record<string, string> = { ...environment, ...command.env, SAMOVAR_CONTAINER_ID: containerId };
  return { file: await findProgram(program, cwd, variables["PATH"] ?? ""), args, env: variables, cwd, terminal: command.terminal };
}
