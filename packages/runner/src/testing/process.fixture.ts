import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FRAME, type LoadMessage } from "@samovar/protocol";
import { bundleRunner } from "../bundle-runner.ts";
import { TestServer, loadMessage, type TestPeer } from "./test-peer.fixture.ts";

/** Makes definitions inside a bundle that a test writes as text. */
const PRELUDE = `
const D = Symbol.for("samovar.definition");
const callable = (run, more) => ({ run, streaming: false, batch: null, validateInput: null, validateOutput: null, retryOn: null, ...more });
const fn = (run, hooks = {}) => ({ [D]: { kind: "function", name: "f", cls: null, handler: callable(run),
  hooks: { onBuild: [], onDeploy: [], onStart: [], onStop: [], onStartIsList: false, onDeployIsList: false, ...hooks } } });
const hook = (name, run) => ({ name, run });
`;

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface RunningRunner {
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  /** What the process wrote to its own descriptors, past the connection. */
  output(): string;
}

/** Real runners, bundled as they ship, in processes of their own against a real socket. */
export class RunnerBench {
  readonly server: TestServer;
  readonly dir: string;
  readonly #runner: string;
  readonly #running: RunningRunner[] = [];

  private constructor(server: TestServer, dir: string) {
    this.server = server;
    this.dir = dir;
    this.#runner = join(dir, "runner.mjs");
  }

  static async create(): Promise<RunnerBench> {
    const bench = new RunnerBench(await TestServer.listen(), mkdtempSync(join(tmpdir(), "samovar-bundle-")));
    await bundleRunner(bench.#runner);
    return bench;
  }

  write(name: string, source: string): string {
    const path = join(this.dir, name);
    writeFileSync(path, `${PRELUDE}${source}`);
    return path;
  }

  spawn(env: Record<string, string> = {}): RunningRunner {
    const child = spawn(process.execPath, [this.#runner], {
      env: { SAMOVAR_CONTAINER_ID: "ct_1", SAMOVAR_TOKEN: "secret", SAMOVAR_SERVER: this.server.address, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      // As drivers do.
      detached: true,
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const exited = new Promise<Exit>((resolve) => child.on("exit", (code, signal) => resolve({ code, signal })));
    const running = { child, exited, output: () => output };
    this.#running.push(running);
    return running;
  }

  /** A runner that loaded the source and is ready. */
  async ready(name: string, source: string, load: Partial<LoadMessage> = {}): Promise<RunningRunner & { peer: TestPeer }> {
    const running = this.spawn();
    const peer = await this.server.connection();
    await peer.welcome();
    peer.say(FRAME.load, loadMessage(this.write(name, source), load));
    await peer.take(FRAME.ready);
    return { ...running, peer };
  }

  async dispose(): Promise<void> {
    for (const { child } of this.#running) child.kill("SIGKILL");
    await Promise.all(this.#running.map(({ exited }) => exited));
    await this.server.dispose();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
