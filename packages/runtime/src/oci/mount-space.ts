import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { SYSTEM_PATH } from "../container-process.ts";

/** Only its name is used: in its own mount table each driver has its containers' folder there. */
const MOUNT_POINT = "/run/samovar";

/**
 * $1: the containers' folder, $2 where it is to be seen. Runtimes act as the container's root while they mount, who may
 * not pass the server's closed folders: here the way to a container's folder has none. On hosts with control groups of
 * both versions crun refuses to run while it sees the second; we use it no less.
 */
const SCRIPT = `[ -e /sys/fs/cgroup/unified/cgroup.procs ] && umount /sys/fs/cgroup/unified
mount --bind "$1" "$2" && echo ready && read _`;

/**
 * A mount table of the driver's own, in which runtimes are started. What is mounted there nobody else sees, and the kernel
 * removes it with the last process: the server may be killed at any time and leaves no mount behind.
 *
 * A process holds it, which ends with its standard input, and so with the server.
 */
export class MountSpace {
  readonly #home: string;
  readonly #holder: ChildProcess;

  private constructor(home: string, holder: ChildProcess) {
    this.#home = home;
    this.#holder = holder;
  }

  /** Rejects where this process may not mount, or lacks the programs for it. */
  static async open(home: string): Promise<MountSpace> {
    await mkdir(MOUNT_POINT, { recursive: true, mode: 0o755 });
    await chmod(home, 0o711);
    const holder = spawn("unshare", ["--mount", "--propagation", "private", "/bin/sh", "-c", SCRIPT, "samovar", home, MOUNT_POINT], {
      cwd: "/",
      env: { PATH: SYSTEM_PATH },
      stdio: ["pipe", "pipe", "pipe"],
      // Not for a Ctrl-C at the server's terminal: containers outlive that for their stop hooks.
      detached: true,
    });
    holder.stdin!.on("error", () => {});
    let said = "";
    holder.stderr!.on("data", (chunk: Buffer) => void (said += chunk.toString()));
    await new Promise<void>((resolve, reject) => {
      holder.once("error", reject);
      holder.stdout!.once("data", () => resolve());
      holder.once("close", () => reject(new Error(said.trim() || "no mount namespace can be made")));
    });
    return new MountSpace(home, holder);
  }

  /** Program and arguments in front of a command that is to run in it. */
  get prefix(): readonly string[] {
    return ["nsenter", `--mount=/proc/${this.#holder.pid}/ns/mnt`, "--"];
  }

  /** A path of the containers' folder, as it is in there. */
  inside(path: string): string {
    return join(MOUNT_POINT, relative(this.#home, path));
  }

  async dispose(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const closed = once(this.#holder, "close");
    this.#holder.stdin!.end();
    await closed;
  }
}
