import { rename } from "node:fs/promises";
import { join } from "node:path";
import { makeFolders, type Clock, type Logger } from "@samovar/kit";
import { DEFAULT_OPTIONS, SamovarError } from "@samovar/protocol";
import { removeFolder } from "../container-folder.ts";
import type { Disks } from "./disks.ts";
import { makeData, makeOuterFolder, toOciFolder, type HostRoot, type OciFolder } from "./root-folder.ts";

export interface FolderStockOptions {
  /** The containers' folder. */
  readonly home: string;
  /** Where folders lie until they are taken; on the same file system. */
  readonly folder: string;
  readonly host: HostRoot;
  /** Null: what containers write is not limited. */
  readonly disks: Disks | null;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** So many are ready for the size of disk that was asked for last. */
const READY = 2;
/** A container that has just been let go needs the processors more. */
const REFILL_AFTER_MS = 150;

/**
 * Containers' folders, made ahead: none of it depends on the function, and a disk of its own takes some 25 ms.
 *
 * States: open → disposed.
 */
export class FolderStock {
  readonly #options: FolderStockOptions;
  #ready: Promise<OciFolder>[] = [];
  #diskMib = DEFAULT_OPTIONS.diskMib;
  #made = 0;
  #disposed = false;
  #cancelRefill: () => void = () => {};

  constructor(options: FolderStockOptions) {
    this.#options = options;
  }

  /** Rejects where disks can't be had. */
  async open(): Promise<void> {
    makeFolders(this.#options.folder, 0o711);
    this.#add();
    await this.#ready[0];
  }

  /** A folder for this container. It is given back with `release`, and removed by that. */
  async take(containerId: string, diskMib: number): Promise<OciFolder> {
    const { home, disks } = this.#options;
    const root = join(home, containerId);
    try {
      const ready = diskMib === this.#diskMib || !disks ? this.#ready.shift() : undefined;
      if (!ready) return await this.#make(root, diskMib);
      await rename((await ready).root, root);
      return this.#toFolder(root);
    } catch (error) {
      throw new SamovarError("storage_failed", `A container's folder can't be made: ${root}: ${(error as Error).message}`, { cause: error });
    } finally {
      await this.#resize(diskMib);
    }
  }

  /** Makes ahead what was taken, in the background and a little later. */
  refill(): void {
    if (this.#disposed) return;
    this.#cancelRefill();
    this.#cancelRefill = this.#options.clock.after(REFILL_AFTER_MS, () => {
      while (!this.#disposed && this.#ready.length < READY) this.#add();
    });
  }

  async release(folder: OciFolder): Promise<void> {
    await this.#options.disks?.release(folder.root);
    await removeFolder(folder.root);
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    this.#cancelRefill();
    await this.#drop();
  }

  /** What was made for disks of another size is of no use. */
  async #resize(diskMib: number): Promise<void> {
    if (diskMib === this.#diskMib || !this.#options.disks) return;
    this.#diskMib = diskMib;
    void this.#drop().catch((error: unknown) => this.#options.logger.warn({ error }, "A folder that was made ahead can't be removed"));
  }

  async #drop(): Promise<void> {
    for (const made of await Promise.allSettled(this.#ready.splice(0))) if (made.status === "fulfilled") await this.release(made.value);
  }

  #add(): void {
    const made = this.#make(join(this.#options.folder, String(this.#made++)), this.#diskMib);
    // Told to whoever takes it.
    made.catch(() => {});
    this.#ready.push(made);
  }

  async #make(root: string, diskMib: number): Promise<OciFolder> {
    const { disks, host } = this.#options;
    const folder = this.#toFolder(root);
    let hasDisk = false;
    try {
      await makeOuterFolder(folder);
      await disks?.make(root, diskMib);
      hasDisk = disks !== null;
      await makeData(folder, host);
      return folder;
    } catch (error) {
      if (hasDisk) await disks?.release(root);
      await removeFolder(root);
      throw error;
    }
  }

  #toFolder(root: string): OciFolder {
    return toOciFolder(root, this.#options.disks?.pathOf(root));
  }
}
