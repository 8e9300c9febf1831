import type { ExecLaunch } from "./exec-launch.ts";

/**
 * Moves itself, then becomes the program: whatever that does, it is in the groups from its first instruction on.
 * A move from outside would come after the program had time to fork.
 */
const SCRIPT = 'while [ "$1" != -- ]; do echo 0 > "$1" || exit 125; shift; done; shift; exec "$@"';
/** What a shell hands on; it may drop other names. */
const SHELL_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The launch by way of a shell that enters control groups first, through these `cgroup.procs` files. None: unchanged. */
export function placeInGroups(launch: ExecLaunch, procsFiles: readonly string[]): ExecLaunch {
  if (procsFiles.length === 0) return launch;
  const odd = Object.entries(launch.env).filter(([name]) => !SHELL_NAME.test(name));
  const keepOdd = odd.length > 0 ? ["/usr/bin/env", ...odd.map(([name, value]) => `${name}=${value}`)] : [];
  return { ...launch, file: "/bin/sh", args: ["-c", SCRIPT, "sh", ...procsFiles, "--", ...keepOdd, launch.file, ...launch.args] };
}

/**
 * The launch in a terminal that only passes on what comes, for a program that has one of its own within: else what is typed
 * before it has set this one so would be echoed twice, and its first lines' ends would be doubled.
 */
export function inRawTerminal(launch: ExecLaunch): ExecLaunch {
  if (launch.terminal === null) return launch;
  return { ...launch, file: "/bin/sh", args: ["-c", 'stty raw -echo; exec "$@"', "sh", launch.file, ...launch.args] };
}
