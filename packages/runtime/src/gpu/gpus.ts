import type { Clock, Logger } from "@samovar/kit";
import { SamovarError, type GpuDevice } from "@samovar/protocol";
import { CdiRegistry } from "./cdi-registry.ts";
import { NO_EDITS, type ContainerEdits } from "./cdi-spec.ts";
import { detectGpus, type DetectedGpu } from "./detect-gpus.ts";
import { readMadeUpGpus } from "./made-up-gpus.ts";
import type { RunProgram } from "./run-program.ts";

export interface OpenGpusOptions {
  readonly logger: Logger;
  readonly clock?: Clock;
  /** What SAMOVAR_GPUS holds, in place of what the machine has. */
  readonly madeUp?: string | null;
  readonly cdiDirs?: readonly string[];
  readonly run?: RunProgram;
}

const KIND = "nvidia.com/gpu";

/** The GPUs of this machine as its drivers use them: found once, when the server starts. */
export class Gpus {
  static readonly none = new Gpus([], null);
  readonly #all: readonly DetectedGpu[];
  readonly #cdi: CdiRegistry | null;

  private constructor(all: readonly DetectedGpu[], cdi: CdiRegistry | null) {
    this.#all = all;
    this.#cdi = cdi;
  }

  /** Throws `invalid_option` for an inventory that can't be read; what is wrong with the machine is told in the log. */
  static async open({ logger, clock, madeUp = null, cdiDirs, run }: OpenGpusOptions): Promise<Gpus> {
    const known = madeUp === null ? { gpus: await detectGpus({ logger, ...(clock ? { clock } : {}), ...(run ? { run } : {}) }) } : await readMadeUpGpus(madeUp);
    if (known.gpus.length === 0) return Gpus.none;
    const dirs = cdiDirs ?? ("cdiDirs" in known ? known.cdiDirs : undefined);
    return new Gpus(known.gpus, await CdiRegistry.read({ logger, ...(dirs ? { dirs } : {}) }));
  }

  /** For drivers whose containers see the machine's devices. */
  get devices(): readonly GpuDevice[] {
    return this.#all.map(toDevice);
  }

  /** For drivers whose containers see only what is passed to them: those that a CDI file names. */
  get passableDevices(): readonly GpuDevice[] {
    return this.#all.filter((gpu) => this.#cdiName(gpu) !== undefined).map(toDevice);
  }

  /** Why some can't be passed to containers, and how to mend it; for `info.missing`. */
  get missing(): readonly string[] {
    const lost = this.#all.filter((gpu) => this.#cdiName(gpu) === undefined);
    if (lost.length === 0) return [];
    return [
      `No CDI file names ${lost.map(({ name, index }) => `${name} (${index})`).join(", ")}, so no container gets ${lost.length === 1 ? "it" : "them"}: run \`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml\` and start the server again`,
    ];
  }

  /**
   * Variables by which CUDA and NVIDIA's own programs know which GPUs are a container's. Where the machine has any, a container without
   * gets them too: they keep it off those of others. They stand above the user's.
   */
  environment(ids: readonly string[]): Readonly<Record<string, string>> {
    const visible = ids.map((id) => this.#get(id).id).join(",");
    if (this.#all.length === 0) return {};
    return { CUDA_VISIBLE_DEVICES: visible, NVIDIA_VISIBLE_DEVICES: visible === "" ? "void" : visible };
  }

  /** What a container with these GPUs needs, from the CDI files. Throws `unsupported`. */
  async toContainerEdits(ids: readonly string[]): Promise<ContainerEdits> {
    if (ids.length === 0) return NO_EDITS;
    const names = ids.map((id) => {
      const gpu = this.#get(id);
      return this.#cdiName(gpu) ?? `${KIND}=${gpu.index}`;
    });
    if (!this.#cdi) throw new SamovarError("unsupported", "This machine has no GPUs");
    return this.#cdi.toContainerEdits(names);
  }

  /** CDI files name GPUs by UUID, by index or both; an index may be another GPU's after a change of the machine. */
  #cdiName({ id, index }: DetectedGpu): string | undefined {
    return [`${KIND}=${id}`, `${KIND}=${index}`].find((name) => this.#cdi?.has(name));
  }

  #get(id: string): DetectedGpu {
    const gpu = this.#all.find((one) => one.id === id);
    if (gpu) return gpu;
    throw new SamovarError("unsupported", `This machine has no GPU with the id ${id}. It has ${this.#all.map((one) => one.id).join(", ") || "none"}`);
  }
}

const toDevice = ({ id, name, memoryMib }: DetectedGpu): GpuDevice => ({ id, name, memoryMib });
