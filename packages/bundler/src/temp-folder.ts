import { lstat, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

/** Its maker's process id is part of the name. */
const NAME = /^samovar-(?:types|host)-(\d+)-[A-Za-z0-9]{6}$/;

/** Where processes of several containers share the folder, one's may look dead to another: what they need it for is over by then. */
const OLD_MS = 60 * 60_000;

/**
 * A new folder for files that this process removes when it is done with them. Where it was killed, the next process that
 * wants such a folder an hour later does. Plain files only: nothing may be mounted in it.
 */
export function makeTempFolder(purpose: "types" | "host"): Promise<string> {
  const root = tmpdir();
  // Nobody waits for it: what is left of it is found again.
  swept ??= removeLeftFolders(root, Date.now()).catch(() => {});
  return mkdtemp(path.join(root, `samovar-${purpose}-${process.pid}-`));
}

/** Once is enough for a process. */
let swept: Promise<void> | undefined;

/**
 * Removes what processes that were killed left in `root`: only folders of such a name, of this user, whose process is gone
 * and which nothing has changed for an hour. A link of that name is no folder, and links inside are removed, not followed.
 */
export async function removeLeftFolders(root: string, nowMs: number): Promise<void> {
  for (const name of await readdir(root)) {
    const pid = NAME.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    const folder = path.join(root, name);
    try {
      const stats = await lstat(folder);
      if (stats.isDirectory() && stats.uid === process.getuid?.() && nowMs - stats.mtimeMs >= OLD_MS) await rm(folder, { recursive: true, force: true });
    } catch {
      // Another process was quicker, or it may not be removed.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
