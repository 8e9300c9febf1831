import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findLeaks, findProcesses } from "../leak-check.ts";
import { startCli, type CliProcess } from "./cli-process.fixture.ts";
import { Lifelines } from "./lifelines.fixture.ts";

/** What a call was answered with. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body, where it is JSON. */
  readonly json: any;
}

export interface CallInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is, in place of JSON. */
  readonly raw?: string | ReadableStream<Uint8Array>;
  readonly token?: string | null;
  readonly signal?: AbortSignal;
}

/**
 * `serve` and `deploy` check types, which is half of what they do, and what no test here is about: a project with these options has
 * nothing to check. Tests of the check are where it is.
 */
const NOTHING_TO_CHECK = JSON.stringify({ compilerOptions: { noCheck: true, noResolve: true, lib: ["es5"] } });

/** A folder with a home and an app in it, the commands that run there, and calls to the home's server. */
export class TestHome {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "samovar-e2e-")));
  readonly home = join(this.folder, "home");
  readonly lifelines: Lifelines;
  readonly #started: CliProcess[] = [];
  readonly #serverPids = new Set<number>();
  #disposed = false;

  private constructor(lifelines: Lifelines) {
    this.lifelines = lifelines;
  }

  static async create(files: Readonly<Record<string, string>> = {}): Promise<TestHome> {
    const home = new TestHome(await Lifelines.listen());
    for (const [name, content] of Object.entries({ "tsconfig.json": NOTHING_TO_CHECK, ...files })) home.write(name, content);
    return home;
  }

  write(name: string, content: string): void {
    const file = join(this.folder, "project", name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }

  cli(args: readonly string[], env: Readonly<Record<string, string>> = {}): CliProcess {
    const cwd = join(this.folder, "project");
    mkdirSync(cwd, { recursive: true });
    const cli = startCli(args, { cwd, home: this.home, env });
    this.#started.push(cli);
    return cli;
  }

  /** Runs a command to its end, which must be a good one. Returns what it wrote to stdout. */
  async ok(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    const cli = this.cli(args, env);
    const { code } = await cli.exited;
    if (code !== 0) throw new Error(`samovar ${args.join(" ")} ended with ${code}:\n${cli.err()}`);
    return cli.out();
  }

  /** `samovar serve FILE`, which has its functions on the way when this returns. */
  async serve(file = "app.ts", args: readonly string[] = []): Promise<CliProcess> {
    const cli = this.cli(["serve", file, "--timeout", "0", "--env", `LIFELINE=${this.lifelines.port}`, ...args]);
    const [said] = await cli.sees(/Serving |error \(/);
    if (said !== "Serving ") throw new Error(`samovar serve ${file}: ${cli.err()}`);
    return cli;
  }

  get server(): { readonly pid: number; readonly url: string } {
    const server = JSON.parse(readFileSync(join(this.home, "server.json"), "utf8")) as { pid: number; url: string };
    this.#serverPids.add(server.pid);
    return server;
  }

  get token(): string {
    return readFileSync(join(this.home, "admin-token"), "utf8").trim();
  }

  fetch(path: string, input?: unknown, init: CallInit = {}): Promise<Response> {
    const token = init.token === undefined ? this.token : init.token;
    const body = init.raw ?? (input === undefined ? undefined : JSON.stringify(input));
    return fetch(this.server.url + path, {
      method: init.method ?? "POST",
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...init.headers,
      },
      ...(body === undefined ? {} : { body, duplex: "half" }),
      ...(init.signal ? { signal: init.signal } : {}),
    } as RequestInit);
  }

  async call(path: string, input?: unknown, init: CallInit = {}): Promise<Answer> {
    const response = await this.fetch(path, input, init);
    const text = await response.text();
    const isJson = /[/+]json$/.test(response.headers.get("content-type") ?? "");
    return { status: response.status, headers: response.headers, text, json: isJson && text !== "" ? JSON.parse(text) : undefined };
  }

  /** An endpoint of the app that is served. */
  endpoint(name: string, input?: unknown, init: CallInit = {}): Promise<Answer> {
    return this.call(`/endpoint/${name}-dev`, input, init);
  }

  async containers(): Promise<readonly { id: string; function: string; state: string; reason: string | null; pid: number | null }[]> {
    return (await this.call("/api/v1/containers?all=1", undefined, { method: "GET" })).json.containers;
  }

  /** All that runs here: commands, servers, containers. */
  async processes(): Promise<readonly { readonly pid: number; readonly command: string }[]> {
    const found = await findProcesses(this.folder);
    for (const { pid } of found) this.#serverPids.add(pid);
    return found;
  }

  /** Resolves when nothing runs here any more: also what was just being started by what was ending. */
  async quiet(): Promise<void> {
    for (let running = await this.processes(); running.length > 0; running = await this.processes())
      await Promise.all(running.map(({ pid }) => processEnded(pid)));
  }

  /** What is left of all that ran here, once what ends by itself has ended. */
  async leaks(empty: readonly string[] = ["home/containers", "home/run/workers"]): Promise<readonly string[]> {
    return findLeaks({ folder: this.folder, empty, serverPids: [...this.#serverPids] });
  }

  /** Ends the server of this home gracefully, disposes of the home, and rejects when anything was left. */
  async endServer(): Promise<void> {
    const { pid } = this.server;
    await this.ok(["down"]);
    await processEnded(pid);
    // Commands that lost their server end by themselves, and after them what they had started.
    await Promise.race([this.quiet(), once(AbortSignal.timeout(LAST_MOMENTS_MS), "abort")]);
    const leaks = await this.leaks();
    await this.dispose();
    if (leaks.length > 0) throw new Error(`The server left behind:\n- ${leaks.join("\n- ")}`);
  }

  /** Ends whatever still runs here. */
  async killAll(): Promise<readonly { readonly pid: number; readonly command: string }[]> {
    const running = await findProcesses(this.folder);
    for (const { pid } of running) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has just ended by itself.
      }
    }
    await Promise.all(running.map(({ pid }) => processEnded(pid)));
    return running;
  }

  /** Ends whatever still runs here, then rejects with what was left although all was over. */
  async dispose(): Promise<void> {
    this.lifelines.dispose();
    if (this.#disposed) return;
    this.#disposed = true;
    const running = await this.killAll();
    await Promise.all(this.#started.map((cli) => cli.exited));
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
    if (running.length > 0) throw new Error(`The test left behind:\n${running.map(({ pid, command }) => `- process ${pid}: ${command}`).join("\n")}`);
  }
}

/** What still runs then is left behind. */
const LAST_MOMENTS_MS = 20_000;

/** How often a process is looked for that others started: Node can't be told of its end. */
const LOOK_EVERY_MS = 10;

/** Resolves when the process has ended. */
export async function processEnded(pid: number): Promise<void> {
  for (;;) {
    let stat = "";
    try {
      stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    } catch {
      return;
    }
    if (/^\) [ZX]/.test(stat.slice(stat.lastIndexOf(")")))) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
