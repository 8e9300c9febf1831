import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "@samovar/kit";
import { SamovarError } from "@samovar/protocol";
import { parseCdiSpec, type CdiDevice, type CdiSpec, type ContainerEdits } from "./cdi-spec.ts";
import { completeNode } from "./device-node.ts";
import { mergeEdits, type OwnedEdits } from "./merge-edits.ts";

/** Where CDI files are looked for; what stands in the later one counts more. */
export const CDI_DIRS: readonly string[] = ["/etc/cdi", "/var/run/cdi"];

export interface CdiRegistryOptions {
  readonly logger: Logger;
  readonly dirs?: readonly string[];
}

interface Found {
  readonly file: string;
  readonly priority: number;
  readonly spec: CdiSpec;
  readonly device: CdiDevice;
}

const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** The devices that this machine's CDI files describe, as they were when they were read. */
export class CdiRegistry {
  readonly #dirs: readonly string[];
  readonly #found: ReadonlyMap<string, readonly Found[]>;

  private constructor(dirs: readonly string[], found: ReadonlyMap<string, readonly Found[]>) {
    this.#dirs = dirs;
    this.#found = found;
  }

  /** A file that can't be read, or that others than root and the server's user could have written, is skipped with a warning. */
  static async read({ logger, dirs = CDI_DIRS }: CdiRegistryOptions): Promise<CdiRegistry> {
    const found = new Map<string, Found[]>();
    for (const [priority, dir] of dirs.entries()) {
      for (const file of await listFiles(dir, logger)) {
        try {
          const spec = parseCdiSpec(await readTrusted(file));
          for (const device of spec.devices) {
            const name = `${spec.kind}=${device.name}`;
            // The later folder's stand in the place of the earlier one's.
            const equal = (found.get(name) ?? []).filter((one) => one.priority === priority);
            found.set(name, [...equal, { file, priority, spec, device }]);
          }
        } catch (error) {
          logger.warn({ file, reason: (error as Error).message }, "A CDI file is skipped");
        }
      }
    }
    return new CdiRegistry(dirs, found);
  }

  /** Full names, such as `nvidia.com/gpu=0`. */
  get deviceNames(): readonly string[] {
    return [...this.#found.keys()].toSorted();
  }

  /** Whether exactly one file says what this device is. */
  has(deviceName: string): boolean {
    return this.#found.get(deviceName)?.length === 1;
  }

  /**
   * What a container with these devices needs, its device nodes complete with what this machine says of them. Throws `unsupported` for a
   * device that no file has, that two files have, and for devices that contradict each other.
   */
  async toContainerEdits(deviceNames: readonly string[]): Promise<ContainerEdits> {
    const edits: OwnedEdits[] = [];
    const specs = new Set<CdiSpec>();
    for (const name of new Set(deviceNames)) {
      const { spec, device } = this.#get(name);
      if (!specs.has(spec)) edits.push({ owner: spec.kind, edits: spec.containerEdits });
      specs.add(spec);
      edits.push({ owner: name, edits: device.containerEdits });
    }
    const merged = mergeEdits(edits);
    return { ...merged, deviceNodes: await Promise.all(merged.deviceNodes.map(completeNode)) };
  }

  #get(name: string): Found {
    const found = this.#found.get(name) ?? [];
    if (found.length === 1) return found[0]!;
    if (found.length > 1)
      throw new SamovarError("unsupported", `The CDI device ${name} stands in ${found.map(({ file }) => file).join(" and in ")}: remove one of them`);
    throw new SamovarError(
      "unsupported",
      `The CDI device ${name} stands in no file of ${this.#dirs.join(" and ")}, which have ${this.deviceNames.join(", ") || "none"}. For NVIDIA's GPUs, \`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml\` writes one`,
    );
  }
}

async function listFiles(dir: string, logger: Logger): Promise<readonly string[]> {
  try {
    const names = (await readdir(dir)).filter((name) => /\.(json|yaml)$/.test(name)).toSorted();
    if (names.length > 0) assertTrusted(await stat(dir));
    return names.map((name) => join(dir, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") logger.warn({ dir, reason: (error as Error).message }, "A folder of CDI files is skipped");
    return [];
  }
}

async function readTrusted(file: string): Promise<string> {
  const handle = await open(file);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new Error("it is no file");
    assertTrusted(stats);
    if (stats.size > MAX_FILE_BYTES) throw new Error(`it has ${stats.size} bytes, more than ${MAX_FILE_BYTES}`);
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}

/** It says which of the machine's files and programs containers get: that is for its owner to say. */
function assertTrusted({ uid, mode }: { readonly uid: number; readonly mode: number }): void {
  if (uid !== 0 && uid !== process.getuid?.()) throw new Error(`it belongs to the user ${uid}, who is neither root nor the server's`);
  if (mode & 0o002) throw new Error("every user may write to it");
}
