import { mkdir, mkdtemp, readFile, readdir, readlink, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";

export interface LeakScope {
  /** Processes that run in this folder, or whose environment names it, are the test's. */
  readonly folder: string;
  /** Folders, relative to `folder`, that must be empty or gone. */
  readonly empty?: readonly string[];
  /** Servers whose control groups must be gone. This process is always one of them. */
  readonly serverPids?: readonly number[];
  /** What this process had open before: see `openHandles`. */
  readonly handlesBefore?: ReadonlyMap<string, number>;
}

/**
 * Gives each test a temporary folder and fails it when processes, control groups, mounts, folders or sockets are left after it; with
 * `sameName` it has the name of the last one's, for what is kept by path. Call it before anything else that has an `afterEach`: those run
 * in reverse order, so the check comes last.
 *
 * @example
 * const folder = failOnLeaks({ empty: ["containers"] });
 * test("…", async () => { const driver = await makeDriver(join(folder(), "containers")); … });
 */
export function failOnLeaks(
  options: { readonly empty?: readonly string[]; readonly serverPids?: () => readonly number[]; readonly sameName?: boolean } = {},
): () => string {
  let folder = "";
  let handlesBefore: ReadonlyMap<string, number> = new Map();
  beforeEach(async () => {
    if (options.sameName && folder !== "") await mkdir(folder, { mode: 0o700 });
    else folder = await realpath(await mkdtemp(join(tmpdir(), "samovar-test-")));
    handlesBefore = openHandles();
  });
  afterEach(async () => {
    const leaks = await findLeaks({
      folder,
      handlesBefore,
      ...(options.empty ? { empty: options.empty } : {}),
      ...(options.serverPids ? { serverPids: options.serverPids() } : {}),
    });
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    if (leaks.length > 0) throw new Error(`The test left behind:\n${leaks.map((leak) => `- ${leak}`).join("\n")}`);
  });
  return () => folder;
}

/** What is left, one sentence each; empty when all is well. */
export async function findLeaks(scope: LeakScope): Promise<readonly string[]> {
  const leaks: string[] = [];
  for (const name of scope.empty ?? []) {
    for (const entry of await readdir(join(scope.folder, name)).catch(() => [])) leaks.push(`folder entry ${join(name, entry)}`);
  }
  for (const { pid, command } of await findProcesses(scope.folder)) leaks.push(`process ${pid}: ${command}`);
  for (const dir of await findCgroups([process.pid, ...(scope.serverPids ?? [])])) leaks.push(`control group ${dir}`);
  for (const mount of await findMounts(scope.folder)) leaks.push(`mount ${mount}`);
  if (scope.handlesBefore) leaks.push(...(await findHandles(scope.handlesBefore)));
  return leaks;
}

/** Running processes, this one and its ancestors aside, that belong to the folder. Linux only: elsewhere none is found. */
export async function findProcesses(folder: string): Promise<readonly { readonly pid: number; readonly command: string }[]> {
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      if (pid === process.pid || !(await isRunning(pid))) return null;
      const [cwd, environ] = await Promise.all([readlink(`/proc/${pid}/cwd`).catch(() => ""), readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")]);
      if (!`${cwd}/`.startsWith(`${folder}/`) && !environ.includes(folder)) return null;
      return { pid, command: (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).replaceAll("\0", " ").trim() };
    }),
  );
  return found.filter((entry) => entry !== null);
}

/** Whether a process runs; one that ended and waits to be reaped does not. */
export async function isRunning(pid: number): Promise<boolean> {
  if (process.platform === "linux") {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    return stat !== "" && !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Sockets, pipes, servers, child processes and file watchers that this process has open, by kind. */
export function openHandles(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) if (kind.endsWith("Wrap")) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** Closing takes some turns of the event loop: it is looked again after each until all is closed. */
const TURNS = 100;

async function findHandles(before: ReadonlyMap<string, number>): Promise<string[]> {
  let left: string[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    left = [...openHandles()].flatMap(([kind, count]) =>
      count > (before.get(kind) ?? 0) ? [`${count - (before.get(kind) ?? 0)} × ${kind} open in this process`] : [],
    );
    if (left.length === 0) return left;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return left;
}

/** Mount points in the folder, or of something that lies in it. */
async function findMounts(folder: string): Promise<string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8").catch(() => "")).split("\n");
  return lines.filter((line) => line.split(" ").some((field) => `${field}/`.startsWith(`${folder}/`))).map((line) => line.split(" ")[4]!);
}

async function findCgroups(serverPids: readonly number[]): Promise<string[]> {
  const mounts = (await readFile("/proc/self/mountinfo", "utf8").catch(() => ""))
    .split("\n")
    .flatMap((line) => (/ - cgroup2? /.test(line) ? [line.split(" ")[4]!] : []));
  const own = (await readFile("/proc/self/cgroup", "utf8").catch(() => "")).split("\n").flatMap((line) => line.split(":").slice(2).join(":") || []);
  // Groups of ours stand under this process's own group or one of its ancestors.
  const paths = new Set(own.flatMap((path) => path.split("/").map((_, i, parts) => parts.slice(0, i + 1).join("/"))));
  // runc makes groups of its own for the containers by which it is tried.
  const prefixes = serverPids.flatMap((pid) => [`samovar-${pid}.`, `samovar-trial-${pid}.`]);
  const found: string[] = [];
  for (const mount of mounts) {
    for (const path of paths) {
      const dir = mount + path;
      for (const name of await readdir(dir).catch(() => [])) if (prefixes.some((prefix) => name.startsWith(prefix))) found.push(join(dir, name));
    }
  }
  return found;
}
