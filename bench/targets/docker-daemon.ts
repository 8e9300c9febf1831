import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFile, lstat, mkdir, mkdtemp, readFile, readlink, rm, rmdir, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { DEFAULT_OPTIONS } from "@samovar/protocol";
import { BARE_SERVER, untilListening, type PlainServer } from "./plain-server.ts";
import { SYSTEM_PATH, isInstalled } from "./programs.ts";
import { untilWritten } from "./until-written.ts";

const run = promisify(execFile);
const env = { PATH: SYSTEM_PATH };
const IMAGE = "samovar-bench";
const SYSTEM_FOLDERS = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
const READY = "API listen on";
/** In a mount namespace of its own, so that its mounts go with it and what it writes outside of its folder is never seen. */
const SCRIPT = `for hidden in /run /etc/docker; do [ -d $hidden ] && mount -t tmpfs tmpfs $hidden; done; exec "$@"`;

/** What is missing for it, as a sentence; null when it can be started. */
export async function whyNoDocker(): Promise<string | null> {
  if (!(await isInstalled("dockerd")) || !(await isInstalled("docker"))) return "Docker is not installed: `apt-get install docker.io`";
  return process.getuid!() === 0 ? null : "Docker's daemon wants root: run the bench as root";
}

/**
 * A Docker daemon of the bench's own, without networks and apart from one that the machine may have, with one image:
 * folders and links, over which /usr and Node are mounted.
 *
 * States: running → stopped.
 */
export class DockerDaemon {
  readonly #folder: string;
  readonly #daemon: ChildProcess;
  readonly #binds: readonly string[] = [];
  #starts = 0;

  private constructor(folder: string, daemon: ChildProcess, binds: readonly string[]) {
    this.#folder = folder;
    this.#daemon = daemon;
    this.#binds = binds;
  }

  /** Resolves when it has the image. Throws what it wrote when it ends before. */
  static async start(): Promise<DockerDaemon> {
    const folder = await mkdtemp(join(tmpdir(), "samovar-docker-"));
    await writeFile(join(folder, "daemon.json"), "{}");
    const daemon = spawn(
      "unshare",
      [
        ...["--mount", "--propagation", "private", "/bin/sh", "-c", SCRIPT, "sh", "dockerd", `--config-file=${join(folder, "daemon.json")}`],
        ...[`--data-root=${join(folder, "data")}`, `--exec-root=${join(folder, "exec")}`, `--pidfile=${join(folder, "pid")}`, `--host=${toHost(folder)}`],
        ...["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false", `--cgroup-parent=/${toGroup()}`],
      ],
      { cwd: "/", env, stdio: ["ignore", "pipe", "pipe"] },
    );
    const started = new DockerDaemon(folder, daemon, await makeImageFolder(join(folder, "image")));
    try {
      await untilWritten(daemon, "dockerd", READY);
      await run("tar", ["-C", join(folder, "image"), "-cf", join(folder, "image.tar"), "."], { env });
      await run("docker", ["--host", toHost(folder), "import", join(folder, "image.tar"), IMAGE], { env });
      return started;
    } catch (error) {
      await started.stop();
      throw error;
    }
  }

  /** `docker run` of the bare server, with a function's limits and no capabilities. Resolves when it listens. */
  async run(): Promise<PlainServer> {
    const name = `bare-${this.#starts++}`;
    const docker = ["--host", toHost(this.#folder)];
    const memory = `${DEFAULT_OPTIONS.memoryMib}m`;
    const child = spawn(
      "docker",
      [
        ...[...docker, "run", "--rm", "--name", name, "--network", "host", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
        ...["--memory", memory, "--memory-swap", memory, "--cpus", String(DEFAULT_OPTIONS.cpuMillis / 1_000), "--pids-limit", "1024"],
        ...this.#binds.flatMap((bind) => ["--volume", bind]),
        ...[IMAGE, "/samovar/node", "/samovar/server.mjs"],
      ],
      { cwd: "/", env: { ...env, HOME: this.#folder }, stdio: ["ignore", "pipe", "pipe"] },
    );
    const closed = once(child, "close");
    return {
      port: await untilListening(child, "docker run"),
      pid: child.pid!,
      stop: async () => {
        await run("docker", [...docker, "kill", name], { env });
        await closed;
      },
    };
  }

  async stop(): Promise<void> {
    if (this.#daemon.exitCode === null && this.#daemon.signalCode === null) {
      const closed = once(this.#daemon, "close");
      this.#daemon.kill("SIGTERM");
      await closed;
    }
    await removeGroups();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

const toHost = (folder: string): string => `unix://${join(folder, "socket")}`;
const toGroup = (): string => `samovar-bench-${process.pid}`;

/** What the image lacks is mounted over it: the same files of this machine that our containers see. */
async function makeImageFolder(folder: string): Promise<string[]> {
  for (const name of ["usr", "samovar", "etc", "tmp", "proc", "sys", "dev"]) await mkdir(join(folder, name), { recursive: true });
  await copyFile(BARE_SERVER, join(folder, "samovar/server.mjs"));
  const binds = ["/usr:/usr:ro", `${process.execPath}:/samovar/node:ro`];
  for (const name of SYSTEM_FOLDERS) {
    const found = await lstat(`/${name}`).catch(() => null);
    if (found?.isSymbolicLink()) await symlink(await readlink(`/${name}`), join(folder, name));
    else if (found?.isDirectory()) binds.push(`/${name}:/${name}:ro`);
  }
  return binds;
}

/** Docker removes the groups of its containers, and leaves the one that they are in. */
async function removeGroups(): Promise<void> {
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n").map((line) => line.split(" "));
  for (const [, path, type] of mounts) if (type === "cgroup" || type === "cgroup2") await rmdir(join(path!, toGroup())).catch(() => {});
}
