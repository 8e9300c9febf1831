import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { removeFolder } from "../container-folder.ts";
import type { HostAccess } from "./host-access.ts";
import { toInitArguments } from "./lifeline.ts";
import { toOciConfig } from "./oci-config.ts";
import { giveData, makeData, makeOuterFolder, toOciFolder, type HostRoot } from "./root-folder.ts";
import { limitRuntime, runContainer } from "./run-container.ts";
import type { RuntimeProgram } from "./runtime-program.ts";
import type { SeccompProfile } from "./seccomp.ts";
import { toUserMapping } from "./user-mapping.ts";

export interface Choice {
  readonly program: RuntimeProgram;
  readonly userNamespace: boolean;
}

export interface TrialOptions {
  readonly programs: readonly RuntimeProgram[];
  readonly access: HostAccess;
  readonly host: HostRoot;
  readonly seccomp: SeccompProfile | null;
  /** The containers' folder, and where in it those of trials get theirs. */
  readonly home: string;
  readonly folder: string;
  readonly ids: { readonly uid: number; readonly gid: number };
}

/**
 * The first of these that starts a container, with a user namespace rather than without. Versions say little: the same
 * crun works on one host and refuses on the next. Resolves to what each of them said where none works.
 */
export async function chooseRuntime(options: TrialOptions): Promise<Choice | { readonly failures: readonly string[] }> {
  const failures: string[] = [];
  for (const userNamespace of [true, false]) {
    // Without a user namespace an ordinary user can't make any other either.
    if (!userNamespace && options.ids.uid !== 0) continue;
    for (const program of options.programs) {
      const failure = await tryRuntime(options, program, userNamespace);
      if (failure === null) return { program, userNamespace };
      failures.push(`${program.name}${userNamespace ? "" : " without a user namespace"}: ${failure}`);
    }
  }
  return { failures };
}

/** Of a container that only exits. A server that starts waits for it. */
const TRIAL_TIMEOUT_MS = 15_000;
/** Names of trials differ, since runc makes a control group by the name. */
let trials = 0;

async function tryRuntime(
  { access, host, seccomp, home, folder: dir, ids }: TrialOptions,
  program: RuntimeProgram,
  userNamespace: boolean,
): Promise<string | null> {
  const containerId = `samovar-trial-${process.pid}.${trials++}`;
  const folder = toOciFolder(join(dir, containerId));
  const user = toUserMapping("trial", { ...ids, userNamespace });
  try {
    await makeOuterFolder(folder);
    await makeData(folder, host);
    await giveData(folder, user.owner);
    const config = toOciConfig({
      rootPath: access.inside(folder.rootfs),
      hostname: "trial",
      argv: toInitArguments(["/bin/sh", "-c", "exit 7"]),
      env: {},
      cwd: "/",
      binds: host.binds.map((bind) => ({ ...bind, source: bind.source.startsWith(`${home}/`) ? access.inside(bind.source) : bind.source })),
      user,
      seccomp,
      network: null,
      cgroupsPath: null,
    });
    const { runtime, pipes, lifeline } = await runContainer(program, access, folder, { containerId, config, keepsGroup: false });
    let said = "";
    for (const pipe of [pipes.stdout, pipes.stderr]) pipe.read((chunk) => void (said += chunk.toString()));
    const exited = Promise.all([once(runtime, "close"), pipes.stdout.closed, pipes.stderr.closed]);
    lifeline.ready.then(() => lifeline.go()).catch(() => {});
    const limit = limitRuntime(runtime, TRIAL_TIMEOUT_MS);
    const end = await lifeline.ended;
    limit.cancel();
    if (limit.expired) said = `it did not start a container within ${TRIAL_TIMEOUT_MS / 1_000} s`;
    lifeline.destroy();
    await exited;
    return end?.code === 7 ? null : (await readLog(folder.logFile)) || said.trim() || "the container did not run to its end";
  } catch (error) {
    return (error as Error).message;
  } finally {
    await removeFolder(join(dir, containerId));
  }
}

const readLog = async (file: string): Promise<string> => (await readFile(file, "utf8").catch(() => "")).trim();
