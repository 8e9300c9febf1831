import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ContainerInfo } from "@samovar/protocol";
import { spawnSamovar } from "./samovar-command.ts";

const APP = fileURLToPath(new URL("app.ts", import.meta.url));

/**
 * `samovar serve` of a copy of app.ts, in a temporary folder with a home of its own: what a user has who serves an app.
 *
 * States: starting → serving → (stop) → gone.
 */
export class SamovarServer {
  readonly url: URL;
  readonly token: string;
  /** The embedded server's process. */
  readonly pid: number;
  /** The module that is served: edits of it are. */
  readonly appFile: string;
  readonly home: string;
  readonly #folder: string;
  readonly #command: ChildProcess;

  private constructor(folder: string, command: ChildProcess, server: { readonly pid: number; readonly url: string }, token: string) {
    this.#folder = folder;
    this.#command = command;
    this.home = join(folder, "home");
    this.appFile = join(folder, "project", "app.ts");
    this.url = new URL(server.url);
    this.pid = server.pid;
    this.token = token;
  }

  /** Resolves when `serve` has printed its URLs. Throws what it wrote when it ends before. Without a driver: the best one here. */
  static async start(driver: "auto" | "process" | "oci" = "auto"): Promise<SamovarServer> {
    const folder = await mkdtemp(join(tmpdir(), "samovar-bench-"));
    const home = join(folder, "home");
    // Beside the home, not around it: what lies in an app's folder travels with the app.
    const project = join(folder, "project");
    await cp(APP, join(project, "app.ts"));
    const command = spawnSamovar(home, ["serve", "app.ts", "--timeout", "10m", "--driver", driver], project);
    await untilServing(command);
    const server = JSON.parse(await readFile(join(home, "server.json"), "utf8")) as { pid: number; url: string };
    return new SamovarServer(folder, command, server, (await readFile(join(home, "admin-token"), "utf8")).trim());
  }

  endpoint(name: string): URL {
    return new URL(`/endpoint/${name}-dev`, this.url);
  }

  /** Calls it as a greeter. Resolves with its answer, and throws it where it is not one. */
  async greet(functionName: string): Promise<string> {
    const response = await fetch(this.endpoint(functionName), {
      method: "POST",
      headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json" },
      body: '{"name":"you"}',
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${functionName} answered ${response.status}: ${text}`);
    return (JSON.parse(text) as { message: string }).message;
  }

  async containers(functionName: string): Promise<readonly ContainerInfo[]> {
    const response = await fetch(new URL("/api/v1/containers", this.url), { headers: { authorization: `Bearer ${this.token}` } });
    const { containers } = (await response.json()) as { containers: readonly ContainerInfo[] };
    return containers.filter((container) => container.function === `${functionName}-dev`);
  }

  /** The one that serves the function. */
  async readyContainer(functionName: string): Promise<ContainerInfo> {
    const ready = (await this.containers(functionName)).filter((container) => container.state === "ready");
    if (ready.length !== 1) throw new Error(`One container should serve ${functionName}, and ${ready.length} do: was something edited meanwhile?`);
    return ready[0]!;
  }

  async stop(): Promise<void> {
    const exited = once(this.#command, "exit");
    this.#command.kill("SIGINT");
    await exited;
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

async function untilServing(command: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let errors = "";
  let printed = "";
  command.stderr?.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  command.stdout?.on("data", (chunk: Buffer) => {
    printed += chunk.toString();
    // The last line of what it prints when it serves.
    if (printed.includes("curl ")) resolve();
  });
  command.once("exit", () => reject(new Error(`samovar serve ended before it served:\n${printed}${errors}`)));
  await promise;
}
