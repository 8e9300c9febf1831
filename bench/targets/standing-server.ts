import { mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerInfo } from "@samovar/protocol";
import { runSamovar } from "./samovar-command.ts";

/** `samovar up`, in a temporary folder with a home of its own, and apps that are deployed to it. */
export class StandingServer {
  readonly url: URL;
  readonly token: string;
  readonly pid: number;
  readonly #folder: string;
  readonly #home: string;

  private constructor(folder: string, home: string, { url, pid }: { readonly url: string; readonly pid: number }, token: string) {
    this.#folder = folder;
    this.#home = home;
    this.url = new URL(url);
    this.pid = pid;
    this.token = token;
  }

  static async start(args: readonly string[] = []): Promise<StandingServer> {
    const folder = await mkdtemp(join(tmpdir(), "samovar-bench-"));
    const home = join(folder, "home");
    await mkdir(home);
    await runSamovar(home, ["up", "-d", "--port", "0", ...args]);
    const server = JSON.parse(await readFile(join(home, "server.json"), "utf8")) as { url: string; pid: number };
    return new StandingServer(folder, home, server, (await readFile(join(home, "admin-token"), "utf8")).trim());
  }

  /**
   * Deploys the module as it is now, and resolves when its new version has taken over. `flags` are of `samovar deploy`;
   * `beside` are modules that it imports, by the names of their files.
   */
  async deploy(source: string, flags: readonly string[] = [], beside: Readonly<Record<string, string>> = {}): Promise<void> {
    const project = join(this.#folder, "project");
    const file = join(project, "app.ts");
    await mkdir(project, { recursive: true });
    for (const [name, text] of Object.entries({ ...beside, "app.ts": source })) await writeFile(join(project, name), text);
    await runSamovar(this.#home, ["deploy", file, ...flags]);
  }

  async delete(name: string): Promise<void> {
    await runSamovar(this.#home, ["deployment", "delete", name, "--yes"]);
  }

  endpoint(name: string): URL {
    return new URL(`/endpoint/${name}`, this.url);
  }

  /** With a body: a POST of JSON. */
  async request(path: string, headers: Readonly<Record<string, string>> = {}, body?: unknown): Promise<Response> {
    return fetch(new URL(path, this.url), {
      headers: { authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    });
  }

  /** Of one function, those that ended included. */
  async containers(functionName: string): Promise<readonly ContainerInfo[]> {
    const response = await this.request("/api/v1/containers?all=1");
    const { containers } = (await response.json()) as { containers: readonly ContainerInfo[] };
    return containers.filter((container) => container.function === functionName);
  }

  async stop(): Promise<void> {
    await runSamovar(this.#home, ["down"]);
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
