import { readFile, readdir, readlink } from "node:fs/promises";

/**
 * A process of a container, by its number in there, as this machine numbers it: the same, but for containers with a pid
 * namespace of their own. Rejects when there is none.
 */
export async function toHostPid(container: { readonly pid: number | null }, pid: number): Promise<number> {
  const namespace = await readlink(`/proc/${container.pid}/ns/pid`).catch(() => null);
  if (namespace === null || namespace === (await readlink("/proc/self/ns/pid"))) return pid;
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name) || (await readlink(`/proc/${name}/ns/pid`).catch(() => null)) !== namespace) continue;
    const inside = /^NSpid:.*?(\d+)$/m.exec(await readFile(`/proc/${name}/status`, "utf8").catch(() => ""))?.[1];
    if (Number(inside) === pid) return Number(name);
  }
  throw new Error(`The container has no process ${pid}`);
}
