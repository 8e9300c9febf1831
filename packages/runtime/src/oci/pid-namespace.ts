import { readFile, readdir, readlink } from "node:fs/promises";
import { readProcessTable } from "../process-table.ts";

/** The processes of one container, which have numbers of their own in there. */
export class PidNamespace {
  readonly #id: string;
  readonly initPid: number;

  private constructor(initPid: number, id: string) {
    this.initPid = initPid;
    this.#id = id;
  }

  /** Of the container that this runtime has made; null when it has ended. */
  static async below(runtimePid: number): Promise<PidNamespace | null> {
    const own = await readlink("/proc/self/ns/pid");
    for (const pid of await childrenOf(runtimePid)) {
      const id = await readlink(`/proc/${pid}/ns/pid`).catch(() => own);
      if (id !== own) return new PidNamespace(pid, id);
    }
    return null;
  }

  /** Of the container whose first process this is; null when it has ended. */
  static async of(initPid: number): Promise<PidNamespace | null> {
    const id = await readlink(`/proc/${initPid}/ns/pid`).catch(() => null);
    return id === null ? null : new PidNamespace(initPid, id);
  }

  /** What the first process has started: as a rule one process, the main one. */
  async firstChild(): Promise<number | null> {
    return (await childrenOf(this.initPid))[0] ?? null;
  }

  /** All of them, as this machine numbers them. Looks at every process of the machine: for where no group knows them. */
  async pids(): Promise<number[]> {
    const all = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
    const inside = await Promise.all(all.map(async (pid) => (await readlink(`/proc/${pid}/ns/pid`).catch(() => "")) === this.#id));
    return all.filter((_, i) => inside[i]);
  }
}

/** The number of a process in its innermost namespace; null when it is gone. */
export async function insidePid(pid: number): Promise<number | null> {
  const line = /^NSpid:\s*(.*)$/m.exec(await readFile(`/proc/${pid}/status`, "utf8").catch(() => ""))?.[1];
  return line === undefined ? null : Number(line.split(/\s+/).at(-1));
}

async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, "utf8").catch(() => null)));
  // Kernels may be built without that file.
  if (lists.includes(null)) return [...(await readProcessTable()).values()].filter((entry) => entry.parentPid === pid).map((entry) => entry.pid);
  return lists.flatMap((list) => list!.split(" ").filter(Boolean).map(Number));
}
