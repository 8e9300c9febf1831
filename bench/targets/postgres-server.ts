import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chown, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findFreePort } from "./free-port.ts";
import { untilWritten } from "./until-written.ts";

const run = promisify(execFile);
/** Where Debian puts the programs of each version. */
const INSTALLED = "/usr/lib/postgresql";
const INSTALL = "`apt-get install postgresql`";
/** Durability is as it comes: fsync and synchronous_commit on. The rest is what any guide says first about a server of its own. */
const SETTINGS = { shared_buffers: "1GB", max_wal_size: "4GB", max_connections: "300" };
const CLOSING_MS = 5_000;

/** What is missing for it, as a sentence; null when it can be started. */
export async function whyNoPostgres(): Promise<string | null> {
  if ((await findPrograms()) === null) return `PostgreSQL is not installed: ${INSTALL}`;
  return process.getuid!() !== 0 || (await findUser())
    ? null
    : `PostgreSQL doesn't run as root, and its package, which brings a user for it, is not installed: ${INSTALL}`;
}

/** A PostgreSQL of the bench's own, as the package's user where the bench is root. */
export class PostgresServer {
  /** Without a database. */
  readonly url: string;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #programs: string;

  private constructor(child: ChildProcess, folder: string, port: number, programs: string) {
    this.#child = child;
    this.#folder = folder;
    this.#programs = programs;
    this.pid = child.pid!;
    this.url = `postgres://bench@127.0.0.1:${port}`;
  }

  static async start(): Promise<PostgresServer> {
    const programs = (await findPrograms())!;
    const folder = await mkdtemp(join(tmpdir(), "samovar-postgres-"));
    const user = process.getuid!() === 0 ? await findUser() : null;
    if (user) await chown(folder, user.uid, user.gid);
    const options = { cwd: folder, env: { PATH: programs, LC_ALL: "C.UTF-8" }, ...user };
    const data = join(folder, "data");
    await run(join(programs, "initdb"), ["--pgdata", data, "--auth", "trust", "--username", "bench", "--no-sync"], options);
    const port = await findFreePort();
    const settings = { ...SETTINGS, port: String(port), listen_addresses: "127.0.0.1", unix_socket_directories: folder };
    const args = ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])];
    const child = spawn(join(programs, "postgres"), args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    const server = new PostgresServer(child, folder, port, programs);
    try {
      await untilWritten(child, "postgres", "ready to accept connections");
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  async createDatabase(name: string): Promise<void> {
    await run(join(this.#programs, "psql"), [`${this.url}/postgres`, "--no-psqlrc", "--quiet", "--command", `CREATE DATABASE ${name}`]);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, "exit");
      // Waits for clients that are just closing their connections, and then no longer.
      this.#child.kill("SIGTERM");
      const impatient = setTimeout(() => this.#child.kill("SIGINT"), CLOSING_MS);
      await exited;
      clearTimeout(impatient);
    }
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

async function findPrograms(): Promise<string | null> {
  const versions = await readdir(INSTALLED).catch((): string[] => []);
  const newest = versions.filter((name) => /^\d+$/.test(name)).toSorted((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? null : join(INSTALLED, newest, "bin");
}

async function findUser(): Promise<{ readonly uid: number; readonly gid: number } | null> {
  const entry = (await readFile("/etc/passwd", "utf8")).split("\n").find((line) => line.startsWith("postgres:"));
  const [, , uid, gid] = entry?.split(":") ?? [];
  return entry === undefined ? null : { uid: Number(uid), gid: Number(gid) };
}
