import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import { SYSTEM_PATH } from "../container-process.ts";

/** Only its name is used: in its own mount table each driver has its containers' folder there. */
const MOUNT_POINT = "/run/samovar";

/**
 * $1: the containers' folder, $2 where it is to be seen. Runtimes act as the container's root while they mount, who may
 * not pass the server's closed folders: here the way to a container's folder has none. On hosts with control groups of
 * both versions crun refuses to run while it sees the second; we use it no less.
 *
 * After that it mounts and unmounts what it is told, one line each, and answers with the line's number and a status.
 */
const SCRIPT = `[ -e /sys/fs/cgroup/unified/cgroup.procs ] && umount /sys/fs/cgroup/unified
mount --bind "$1" "$2" || exit 1
echo ready
while read -r number action where image; do
  case $action in
    mount) mount -o loop,nosuid,nodev,noatime "$image" "$where" ;;
    unmount) umount "$where" ;;
  esac
  echo "$number $?"
done`;

/** What is put in front of a command that is to run with this process's mounts. */
export function enterMounts(pid: number): readonly string[] {
  return ["nsenter", `--mount=/proc/${pid}/ns/mnt`, "--"];
}

/**
 * A mount table of the driver's own, in which runtimes are started. What is mounted there nobody else sees, and the kernel
 * removes it with the last process: the server may be killed at any time and leaves no mount behind.
 *
 * A process holds it, which ends with its standard input, and so with the server.
 */
export class MountSpace {
  readonly #home: string;
  readonly #holder: ChildProcess & { readonly pid: number };
  readonly #waiting = new Map<number, (status: number) => void>();
  #asked = 0;
  #said = "";

  private constructor(home: string, holder: ChildProcess & { readonly pid: number }) {
    this.#home = home;
    this.#holder = holder;
  }

  /** Rejects where this process may not mount, or lacks the programs for it. */
  static async open(home: string): Promise<MountSpace> {
    await mkdir(MOUNT_POINT, { recursive: true, mode: 0o755 });
    await chmod(home, 0o711);
    const child = spawn("unshare", ["--mount", "--propagation", "private", "/bin/sh", "-c", SCRIPT, "samovar", home, MOUNT_POINT], {
      cwd: "/",
      env: { PATH: SYSTEM_PATH },
      stdio: ["pipe", "pipe", "pipe"],
      // Not for a Ctrl-C at the server's terminal: containers outlive that for their stop hooks.
      detached: true,
    });
    if (child.pid === undefined) throw await new Promise((resolve) => child.once("error", resolve));
    const space = new MountSpace(home, child as ChildProcess & { readonly pid: number });
    await space.#listen();
    return space;
  }

  /** Program and arguments in front of a command that is to run in it. */
  get prefix(): readonly string[] {
    return enterMounts(this.#holder.pid);
  }

  /** A path of the containers' folder, as it is in there. */
  inside(path: string): string {
    const root = this.#root;
    return path.startsWith(`${root}/`) ? path.slice(root.length) : join(MOUNT_POINT, relative(this.#home, path));
  }

  /** A path of the containers' folder with what is mounted in there, as this process can use it. */
  seen(path: string): string {
    return this.#root + this.inside(path);
  }

  /** Mounts an image of a file system over a folder; both lie in the containers' folder. */
  async mountImage(image: string, folder: string): Promise<void> {
    await this.#ask(`mount ${this.inside(folder)} ${this.inside(image)}`);
  }

  async unmount(folder: string): Promise<void> {
    await this.#ask(`unmount ${this.inside(folder)}`);
  }

  async dispose(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const closed = once(this.#holder, "close");
    this.#holder.stdin!.end();
    await closed;
  }

  get #root(): string {
    return `/proc/${this.#holder.pid}/root`;
  }

  async #listen(): Promise<void> {
    const { stdin, stdout, stderr } = this.#holder;
    stdin!.on("error", () => {});
    stderr!.on("data", (chunk: Buffer) => void (this.#said = chunk.toString().trim()));
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: stdout! }).on("line", (line) => {
        if (line === "ready") return resolve();
        const [number, status] = line.split(" ").map(Number);
        this.#waiting.get(number!)?.(status!);
        this.#waiting.delete(number!);
      });
      this.#holder.once("close", () => {
        reject(new Error(this.#said || "no mount namespace can be made"));
        for (const answer of this.#waiting.values()) answer(1);
      });
    });
  }

  async #ask(command: string): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) throw new Error("The process that holds the mounts has ended");
    const number = ++this.#asked;
    const status = await new Promise<number>((resolve) => {
      this.#waiting.set(number, resolve);
      this.#holder.stdin!.write(`${number} ${command}\n`);
    });
    if (status !== 0) throw new Error(`${command} failed: ${this.#said || `status ${status}`}`);
  }
}
