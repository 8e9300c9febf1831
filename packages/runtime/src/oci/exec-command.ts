import { join } from "node:path";
import { SYSTEM_PATH } from "../container-process.ts";
import type { HostAccess } from "./host-access.ts";
import type { OciFolder } from "./root-folder.ts";
import { toGlobalArguments, type RuntimeProgram } from "./runtime-program.ts";
import type { UserMapping } from "./user-mapping.ts";

/** A running container, as far as a program that joins it must know. */
export interface ExecTarget {
  readonly program: RuntimeProgram;
  readonly access: HostAccess;
  readonly folder: OciFolder;
  readonly containerId: string;
  readonly user: UserMapping;
}

/** A program as the container sees it. */
export interface ExecProgram {
  readonly argv: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute. */
  readonly cwd: string;
  /** Whether it gets a terminal of its own: the runtime makes one, and carries it to the terminal that it was itself started in. */
  readonly terminal: boolean;
}

/** What is to be started on this machine. */
export interface ExecCommandLine {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Must be there before, readable by nobody else: it has the environment. Goes with the container's folder. */
  readonly processFile: { readonly path: string; readonly text: string };
}

/**
 * The runtime's command that runs a program in a container: same namespaces, user, root, denied system calls, and no more
 * rights. Its exit code is the program's, or 128 and a signal's number. The control group is not its business: whoever
 * starts it puts it there first.
 */
export function toExecCommand(target: ExecTarget, execId: string, { argv, env, cwd, terminal }: ExecProgram): ExecCommandLine {
  const { program, access, folder, containerId, user } = target;
  const path = join(folder.root, `exec-${execId}.json`);
  const id = user.size > 0 ? { uid: 0, gid: 0 } : user.owner;
  const [file, ...args] = [...access.prefix, ...toGlobalArguments(program, access.inside(folder.state)), "exec", "--process", access.inside(path), containerId];
  return {
    file: file!,
    args,
    // By the id whoever clears up finds it.
    env: { PATH: SYSTEM_PATH, SAMOVAR_CONTAINER_ID: containerId },
    cwd: "/",
    processFile: {
      path,
      text: JSON.stringify({
        terminal,
        user: id,
        args: argv,
        env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
        cwd,
        noNewPrivileges: true,
        capabilities: { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
      }),
    },
  };
}
