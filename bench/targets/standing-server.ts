import { mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerInfo } from "@samovar/protocol";
import { runSamovar } from "./samovar-command.ts";

/** `samovar up`, in a temporary folder with a home of its own, and apps that are deployed to it. */
export class StandingServer {
  readonly url: URL;
  readonly token: string;
  readonly #folder: string;
  readonly #home: string;

  private constructor(folder: string, home: string, url: string, token: string) {
    this.#folder = folder;
    this.#home = home;
    this.url = new URL(url);
    this.token = token;
  }

  static async start(args: readonly string[] = []): Promise<StandingServer> {
    const folder = await mkdtemp(join(tmpdir(), "samovar-bench-"));
    const home = join(folder, "home");
    await mkdir(home);
    await runSamovar(home, ["up", "-d", "--port", "0", ...args]);
    const { url } = JSON.parse(await readFile(join(home, "server.json"), "utf8")) as { url: string };
    return new StandingServer(folder, home, url, (await readFile(join(home, "admin-token"), "utf8")).trim());
  }

  /** Deploys the module as it is now, and resolves when its new version has taken over. `flags` are of `samovar deploy`. */
  async deploy(source: string, flags: readonly string[] = []): Promise<void> {
    const file = join(this.#folder, "project", "app.ts");
    await mkdir(join(file, ".."), { recursive: true });
    await writeFile(file, source);
    await runSamovar(this.#home, ["deploy", file, ...flags]);
  }

  async delete(name: string): Promise<void> {
    await runSamovar(this.#home, ["deployment", "delete", name]);
  }

  endpoint(name: string): URL {
    return new URL(`/endpoint/${name}`, this.url);
  }

  /** Of one function, those that ended included. */
  async containers(functionName: string): Promise<readonly ContainerInfo[]> {
    const response = await fetch(new URL("/api/v1/containers?all=1", this.url), { headers: { authorization: `Bearer ${this.token}` } });
    const { containers } = (await response.json()) as { containers: readonly ContainerInfo[] };
    return containers.filter((container) => container.function === functionName);
  }

  async stop(): Promise<void> {
    await runSamovar(this.#home, ["down"]);
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
