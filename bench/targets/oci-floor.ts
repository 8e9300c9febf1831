import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, cp, lchown, lstat, mkdir, mkdtemp, readFile, readdir, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DEFAULT_OPTIONS } from "@samovar/protocol";
import { parentOf } from "../process-usage.ts";
import { BARE_SERVER, untilListening, type PlainServer } from "./plain-server.ts";
import { SYSTEM_PATH } from "./programs.ts";

export type FloorRuntime = "runc" | "crun";

export interface RealContainer {
  /** What its runtime was started with. */
  readonly configFile: string;
  /** Its main process. */
  readonly pid: number;
  /** Of its server: what lies there belongs to that server. */
  readonly home: string;
}

interface Mount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** The parts of a configuration that the floor changes or looks at. */
interface Config {
  readonly root: { readonly path: string };
  readonly process: { readonly args: readonly string[]; readonly env: readonly string[] };
  readonly mounts: readonly Mount[];
  readonly linux: { readonly namespaces: readonly { readonly type: string }[]; readonly uidMappings?: readonly { readonly hostID: number }[] };
}

const CPU_PERIOD_US = 100_000;
/** What the scheduler allows. */
const MAX_PROCESSES = 1_024;
/** What a function's container is told of its server. */
const OUR_VARIABLE = /^SAMOVAR_/;

/**
 * What a container costs without Samovar: the runtime, with the configuration of a real container of ours, in which it
 * runs the bare server. Namespaces, ids, capabilities, seccomp, mounts and hidden paths are that container's; what was
 * mounted from its server's home is a copy or an empty folder of the floor's own, and the limits go to the runtime,
 * which makes the control group.
 *
 * States: open → disposed.
 */
export class OciFloor {
  readonly #folder: string;
  readonly #config: Config;
  /** The process which stays as the real container's parent. */
  readonly #runtimePid: number;
  #starts = 0;

  private constructor(folder: string, config: Config, runtimePid: number) {
    this.#folder = folder;
    this.#config = config;
    this.#runtimePid = runtimePid;
  }

  static async of(container: RealContainer): Promise<OciFloor> {
    const folder = await mkdtemp(join(tmpdir(), "samovar-floor-"));
    // The container's root is nobody here, and has to get through.
    await chmod(folder, 0o711);
    const config = await makeBundle(folder, container);
    // The main program's parent is the container's first process.
    return new OciFloor(folder, config, parentOf(parentOf(container.pid)));
  }

  /** Which runtime the real container was started by. */
  async runtimeOfOurs(): Promise<string> {
    return (await readFile(`/proc/${this.#runtimePid}/comm`, "utf8")).trim();
  }

  /** Resolves when the bare server listens. The container's folders are the same for each start: they cost the floor nothing. */
  async start(runtime: FloorRuntime): Promise<PlainServer> {
    const id = `samovar-floor-${process.pid}-${this.#starts++}`;
    const bundle = join(this.#folder, runtime);
    await mkdir(bundle, { recursive: true });
    const limits = runtime === "runc" || process.getuid!() === 0 ? { cgroupsPath: id, resources: RESOURCES } : {};
    await writeFile(join(bundle, "config.json"), JSON.stringify({ ...this.#config, linux: { ...this.#config.linux, ...limits } }));
    const [file, ...args] = this.#command(runtime);
    const options = { cwd: "/", env: { PATH: SYSTEM_PATH } };
    const child = spawn(file!, [...args, "run", "--bundle", bundle, id], { ...options, stdio: ["ignore", "pipe", "pipe"] });
    const closed = once(child, "close");
    const stop = async (): Promise<void> => {
      const deleting = spawn(file!, [...args, "delete", "--force", id], { ...options, stdio: "ignore" });
      await Promise.all([once(deleting, "close"), closed]);
    };
    try {
      return { port: await untilListening(child, `${runtime} run`), pid: child.pid!, stop };
    } catch (error) {
      await stop();
      throw error;
    }
  }

  async dispose(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  /**
   * crun runs where the driver runs it, in the mount namespace of the real container's runtime: on hosts with control
   * groups of both versions it would refuse elsewhere.
   */
  #command(runtime: FloorRuntime): string[] {
    const state = ["--root", join(this.#folder, "state")];
    if (runtime === "runc" || process.getuid!() !== 0) return [runtime, ...state];
    return ["nsenter", `--mount=/proc/${this.#runtimePid}/ns/mnt`, "--", runtime, ...state, "--cgroup-manager=cgroupfs"];
  }
}

/** A function's, where it sets none. */
const RESOURCES = {
  memory: { limit: DEFAULT_OPTIONS.memoryMib * 1024 * 1024 },
  cpu: { period: CPU_PERIOD_US, quota: (DEFAULT_OPTIONS.cpuMillis / 1_000) * CPU_PERIOD_US },
  pids: { limit: MAX_PROCESSES },
};

async function makeBundle(folder: string, { configFile, pid, home }: RealContainer): Promise<Config> {
  const config = JSON.parse(await readFile(configFile, "utf8")) as Config;
  const inside = `/proc/${pid}/root`;
  const owner = config.linux.uidMappings?.[0]?.hostID ?? process.getuid!();
  // The container's program comes after what it shares with the floor: node, and then the file that node runs.
  const mounted = new Set(config.mounts.map(({ destination }) => destination));
  const [node, program] = config.process.args.filter((argument) => mounted.has(argument));
  if (node === undefined || program === undefined) throw new Error(`No program of a container can be told from ${config.process.args.join(" ")}`);

  const rootfs = join(folder, "rootfs");
  await mkdir(rootfs);
  for (const entry of await readdir(inside, { withFileTypes: true })) {
    const path = join(rootfs, entry.name);
    if (entry.isSymbolicLink()) await symlink(await readlink(join(inside, entry.name)), path);
    else if (entry.isDirectory()) await mkdir(path);
  }
  const mounts: Mount[] = [];
  for (const [i, mount] of config.mounts.entries()) {
    const at = join(inside, mount.destination);
    const isFile = mount.type === "bind" && !(await lstat(at)).isDirectory();
    await makeMountPoint(join(rootfs, mount.destination), isFile);
    const source = join(folder, `source-${i}`);
    if (mount.destination === program) await copyFile(BARE_SERVER, source);
    else if (mount.type !== "bind" || (await isOfMachine(mount.source, home))) {
      mounts.push(mount);
      continue;
    } else if (isFile) await writeFile(source, "");
    else if (mount.options.includes("rw")) await mkdir(source);
    else await cp(at, source, { recursive: true, verbatimSymlinks: true });
    await lchown(source, owner, owner);
    mounts.push({ ...mount, source });
  }
  await lchown(rootfs, owner, owner);
  return {
    ...config,
    root: { ...config.root, path: rootfs },
    process: { ...config.process, args: [node, program], env: config.process.env.filter((variable) => !OUR_VARIABLE.test(variable)) },
    mounts,
  };
}

/** The rest is the server's own, and some of it only to be seen in a mount namespace of the server's. */
async function isOfMachine(source: string, home: string): Promise<boolean> {
  const isThere = await lstat(source).then(
    () => true,
    () => false,
  );
  return isThere && !source.startsWith(`${home}/`);
}

/** Unless it lies in something that is mounted before it. */
async function makeMountPoint(path: string, isFile: boolean): Promise<void> {
  await mkdir(isFile ? dirname(path) : path, { recursive: true });
  if (isFile) await writeFile(path, "");
}
