import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "./free-port.ts";
import { isInstalled, SYSTEM_PATH } from "./programs.ts";
import { untilWritten } from "./until-written.ts";

/** What BullMQ's guide asks of a Redis in production. Snapshots beside the log are off: they would only cost. */
const SETTINGS = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction"];

/** What is missing for it, as a sentence; null when it can be started. */
export async function whyNoRedis(): Promise<string | null> {
  return (await isInstalled("redis-server")) ? null : "Redis is not installed: `apt-get install redis-server`";
}

/** A Redis of the bench's own. */
export class RedisServer {
  readonly url: string;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, folder: string, port: number) {
    this.#child = child;
    this.#folder = folder;
    this.pid = child.pid!;
    this.url = `redis://127.0.0.1:${port}`;
  }

  static async start(): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), "samovar-redis-"));
    const port = await findFreePort();
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, ...SETTINGS];
    const child = spawn("redis-server", args, { cwd: folder, env: { PATH: SYSTEM_PATH }, stdio: ["ignore", "pipe", "pipe"] });
    const server = new RedisServer(child, folder, port);
    try {
      await untilWritten(child, "redis-server", "Ready to accept connections");
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await exited;
    }
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
