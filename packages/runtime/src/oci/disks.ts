import { execFile } from "node:child_process";
import { mkdir, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { SYSTEM_PATH } from "../container-process.ts";
import type { HostAccess } from "./host-access.ts";
import type { MountSpace } from "./mount-space.ts";

const run = promisify(execFile);
const MIB = 1024 * 1024;
/** What the file system itself needs: inodes and tables. */
const OVERHEAD = 1.02;
const OVERHEAD_MIB = 4;
const IMAGE = "disk.img";
const PLACE = "disk";
/** No journal: a disk does not outlive its container, let alone a crash. */
const FORMAT = ["-q", "-F", "-m", "0", "-O", "^has_journal,^resize_inode", "-E", "lazy_itable_init=1,nodiscard"];

/**
 * Limits by a file system of its own for each container: an image that grows as it is written to, mounted where only the
 * driver sees it. Full is full for this container alone, told as ENOSPC, and `df` says so in there.
 */
export class Disks {
  readonly #space: MountSpace;

  constructor(space: MountSpace) {
    this.#space = space;
  }

  /** Makes one below this folder. Rejects where that can't be had, and leaves nothing behind. */
  async make(folder: string, diskMib: number): Promise<void> {
    const image = join(folder, IMAGE);
    const place = join(folder, PLACE);
    try {
      await mkdir(place);
      const file = await open(image, "wx", 0o600);
      await file.truncate(Math.ceil(diskMib * OVERHEAD + OVERHEAD_MIB) * MIB);
      await file.close();
      await run("mkfs.ext4", [...FORMAT, image], { env: { PATH: SYSTEM_PATH } });
      await this.#space.mountImage(image, place);
    } catch (error) {
      await rm(image, { force: true });
      await rm(place, { recursive: true, force: true });
      throw error;
    }
  }

  /** Where the disk of a dead server's container is, as its runtime sees it and this process can use it; null where it has none. */
  static async foreignPath(access: HostAccess, folder: string, runtimePid: number): Promise<string | null> {
    const hasDisk = await stat(join(folder, IMAGE)).then(
      () => true,
      () => false,
    );
    return hasDisk ? join("/proc", String(runtimePid), "root", access.inside(join(folder, PLACE))) : null;
  }

  /** Where the disk of this folder is, as this process can use it. */
  pathOf(folder: string): string {
    return this.#space.seen(join(folder, PLACE));
  }

  /** When nothing uses it any more. The image is removed with the folder. */
  async release(folder: string): Promise<void> {
    await this.#space.unmount(join(folder, PLACE));
  }
}
