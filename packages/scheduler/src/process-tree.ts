import { randomBytes } from "node:crypto";
import { hashToken } from "@samovar/kit";
import { SamovarError } from "@samovar/protocol";
import type { ContainerEvents, ContainerSpec, ExecCommand, ExecProcess, RunningContainer } from "@samovar/runtime";
import type { ContainerHost, ContainerPlan } from "./container-types.ts";

/**
 * A container's processes, as the driver has them. Asked for once, by `start` or by `takeBack`; until that has settled
 * there are none, and nothing is missed: whoever needs them waits.
 */
export class ProcessTree {
  /** What its workers say who they are with. Of what an earlier server started only the hash is known. */
  readonly #token = randomBytes(24).toString("base64url");
  readonly #host: ContainerHost;
  readonly #plan: ContainerPlan;
  readonly #events: ContainerEvents;
  #asked: Promise<RunningContainer | null> | null = null;
  #running: RunningContainer | null = null;

  constructor(host: ContainerHost, plan: ContainerPlan, events: ContainerEvents) {
    this.#host = host;
    this.#plan = plan;
    this.#events = events;
  }

  get pid(): number | null {
    return this.#running?.pid ?? null;
  }

  /** Where its code lies as this machine sees it; null before it was placed. */
  get codeDir(): string | null {
    return this.#running?.codeDir ?? null;
  }

  get tokenHash(): string {
    return hashToken(this.#token);
  }

  /** Rejects as the driver does. */
  start(): Promise<void> {
    return this.#ask(() => this.#host.driver.start({ ...this.#spec, token: this.#token }, this.#events));
  }

  /** What an earlier server started becomes ours. Rejects as the driver does. */
  takeBack(): Promise<void> {
    return this.#ask(() => this.#host.driver.takeBack(this.#spec, this.#events));
  }

  /** Where its processes find the code, once it lies there; null where there are none. */
  async placed(): Promise<string | null> {
    return (await this.#asked)?.codePath ?? null;
  }

  exec(command: ExecCommand): Promise<ExecProcess> {
    if (!this.#running) throw new SamovarError("not_found", `The container ${this.#plan.containerId} has no process to run a program beside yet`);
    return this.#running.exec(command);
  }

  killProcess(pid: number): void {
    const failed = (error: unknown): void =>
      this.#host.logger.warn({ containerId: this.#plan.containerId, error: String(error) }, "A worker could not be killed");
    void this.#running?.killProcess(pid).catch(failed);
  }

  async tookOom(): Promise<boolean> {
    return (await this.#running?.tookOom().catch(() => false)) ?? false;
  }

  /** Resolves when nothing of it is left, as far as the driver can. */
  async kill(): Promise<void> {
    try {
      await (await this.#asked)?.kill();
    } catch (error) {
      this.#host.logger.error({ containerId: this.#plan.containerId, error: String(error) }, "A container could not be killed");
    }
  }

  async #ask(ask: () => Promise<RunningContainer>): Promise<void> {
    const asked = ask();
    this.#asked = asked.catch(() => null);
    this.#running = await asked;
  }

  get #spec(): Omit<ContainerSpec, "token"> {
    const { containerId, load, code, env, limits, network, gpus } = this.#plan;
    return {
      containerId,
      functionName: load.functionName,
      serverAddress: this.#host.serverAddress,
      code,
      cacheDir: load.compileCacheDir,
      env,
      serverUrl: this.#host.serverUrl(),
      limits,
      network,
      gpus,
    };
  }
}
