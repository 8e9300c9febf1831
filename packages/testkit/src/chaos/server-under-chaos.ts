import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, openSync, closeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ServerLife } from "./history.ts";

interface Life {
  readonly startedAtMs: number;
  readonly child: ChildProcess;
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>;
  url: string | null;
  endedAtMs: number | null;
  end: ServerLife["end"];
  /** What the next end is called. */
  expected: "killed" | "stopped" | null;
}

export interface ServerOptions {
  readonly home: string;
  readonly driver: string;
}

/** The process that `samovar up -d` starts, as a child of this one, so that its end is an event: down ⇄ starting → up → down. */
export class ServerUnderChaos {
  readonly #options: ServerOptions;
  readonly #lives: Life[] = [];
  #ready = Promise.withResolvers<string>();

  constructor(options: ServerOptions) {
    this.#options = options;
    mkdirSync(join(options.home, "logs"), { recursive: true, mode: 0o700 });
  }

  get lives(): readonly ServerLife[] {
    return this.#lives.map(({ startedAtMs, endedAtMs, end }) => ({ startedAtMs, endedAtMs, end }));
  }

  get pid(): number {
    return this.#lives.at(-1)!.child.pid!;
  }

  get isUp(): boolean {
    const life = this.#lives.at(-1);
    return life !== undefined && life.endedAtMs === null && life.url !== null;
  }

  /** Of the server that is up; waits for one. */
  url(): Promise<string> {
    return this.#ready.promise;
  }

  token(): Promise<string> {
    return readFile(join(this.#options.home, "admin-token"), "utf8").then((text) => text.trim());
  }

  /** Resolves when it is ready, or was ended by one of the ways below. Rejects when it ended by itself. */
  async start(): Promise<void> {
    const { home, driver } = this.#options;
    const log = openSync(join(home, "logs", "server.log"), "a", 0o600);
    const child = spawn(process.execPath, ["--conditions=samovar-source", fileURLToPath(import.meta.resolve("@samovar/server/main"))], {
      cwd: home,
      detached: true,
      stdio: ["ignore", log, log, "ipc"],
      env: {
        PATH: process.env["PATH"],
        HOME: home,
        SAMOVAR_HOME: home,
        SAMOVAR_PORT: "0",
        SAMOVAR_DRIVER: driver,
        SAMOVAR_LOG_LEVEL: "info",
        NODE_COMPILE_CACHE: join(home, "cache", "v8"),
      },
    });
    closeSync(log);
    const exited = Promise.withResolvers<void>();
    const life: Life = { startedAtMs: Date.now(), child, ended: exited.promise, url: null, endedAtMs: null, end: null, expected: null };
    this.#lives.push(life);
    const report = Promise.withResolvers<{ readonly url?: string; readonly error?: { readonly message: string } }>();
    child.once("message", (message) => report.resolve(message as { url?: string }));
    child.once("exit", (code, signal) => {
      life.endedAtMs = Date.now();
      life.end = life.expected ?? "crashed";
      if (life.url !== null) this.#ready = Promise.withResolvers();
      report.resolve({ error: { message: `ended with ${signal ?? `exit ${code}`}` } });
      exited.resolve();
    });
    const { url, error } = await report.promise;
    if (child.connected) child.disconnect();
    if (url !== undefined && life.endedAtMs === null) {
      life.url = url;
      this.#ready.resolve(url);
    }
    if (error && life.expected === null) {
      await life.ended;
      throw new Error(`The server did not start: ${error.message}. Its log is in ${join(home, "logs")}`);
    }
  }

  /** SIGKILL, at whatever it is just doing. */
  async kill(): Promise<void> {
    await this.#end("killed", "SIGKILL");
  }

  /** As `samovar down` does: what runs is finished first. */
  async stop(): Promise<void> {
    await this.#end("stopped", "SIGTERM");
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#lives.at(-1)!.child.kill(signal);
  }

  async #end(expected: "killed" | "stopped", signal: NodeJS.Signals): Promise<void> {
    const life = this.#lives.at(-1);
    if (!life || life.endedAtMs !== null) return;
    life.expected ??= expected;
    life.child.kill(signal);
    await life.ended;
  }
}
