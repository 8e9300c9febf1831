import { readFile } from "node:fs/promises";
import { SamovarError } from "@samovar/protocol";
import { ContainerCgroup } from "../container-cgroup.ts";
import type { ContainerPipes } from "../container-pipes.ts";
import type { ContainerRecord } from "../container-record.ts";
import type { ExecCommand } from "../driver.ts";
import type { OwnedExec } from "../exec/exec-launch.ts";
import { startOciExec } from "../exec/start-oci-exec.ts";
import { Disks } from "./disks.ts";
import type { HostAccess } from "./host-access.ts";
import { Lifeline } from "./lifeline.ts";
import type { OciContainerOptions } from "./oci-container.ts";
import { enterMounts } from "./mount-space.ts";
import { PidNamespace } from "./pid-namespace.ts";
import { toOciFolder } from "./root-folder.ts";
import { findRuntimes } from "./runtime-program.ts";

type TakenParts = Pick<
  OciContainerOptions,
  "runtime" | "pipes" | "lifeline" | "processes" | "folder" | "joinsGroup" | "grouped" | "memoryEnforced" | "startExec"
>;

/** A container that another server started, as its record and its folder show it. Rejects where it has just ended. */
export async function findTaken(containerId: string, root: string, record: ContainerRecord, pipes: ContainerPipes, access: HostAccess): Promise<TakenParts> {
  const { runtime, runtimePid, initPid } = record.oci!;
  const namespace = await PidNamespace.of(initPid);
  if (!namespace) throw new SamovarError("not_found", `Container ${containerId} can't be taken back: it has just ended`);
  const folder = toOciFolder(root, (await Disks.foreignPath(access, root, runtimePid)) ?? undefined);
  // Runtimes look for the container's root where they made it: among the mounts of its server, which live on with it.
  const where = access.prefix.length === 0 ? access : { prefix: enterMounts(runtimePid), inside: (path: string) => access.inside(path) };
  const cgroup = record.groups.length > 0 ? new ContainerCgroup(record.groups) : null;
  return {
    runtime: { pid: runtimePid, exited: Promise.resolve() },
    pipes,
    lifeline: new Lifeline(null, pipes.life),
    processes: { namespace, mainPid: record.main.pid },
    folder,
    joinsGroup: runtime === "crun",
    grouped: Promise.resolve(cgroup),
    memoryEnforced: cgroup?.limitsMemory ?? false,
    startExec: async (command: ExecCommand): Promise<OwnedExec> => {
      const [program] = await findRuntimes([runtime]);
      if (!program)
        throw new SamovarError("unsupported", `No program can be run in container ${containerId}: ${runtime}, which has started it, is not installed any more`);
      const config = JSON.parse(await readFile(folder.config, "utf8")) as { readonly linux: { readonly cgroupsPath?: string } };
      const procsFiles = config.linux.cgroupsPath === undefined ? (cgroup?.procsFiles ?? []) : [];
      return startOciExec(command, { containerId, program, access: where, folder, config, procsFiles });
    },
  };
}
