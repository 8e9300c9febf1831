import { join } from "node:path";
import { disposeAll, type Clock, type Logger } from "@samovar/kit";
import { removeFolder } from "../container-folder.ts";
import { Disks } from "./disks.ts";
import { FolderStock } from "./folder-stock.ts";
import { openHostAccess, type HostAccess } from "./host-access.ts";
import type { MountSpace } from "./mount-space.ts";
import { prepareHostRoot, type HostRoot } from "./root-folder.ts";

export interface WorkshopOptions {
  /** The containers' folder. */
  readonly home: string;
  /** Of the workshop alone; what lies there goes. */
  readonly folder: string;
  /** Where the root is made that containers share. Of this workshop alone, since it stays as long as they do, also those that the next server takes back. */
  readonly rootFolder: string;
  readonly isRoot: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether containers get disks of their own; `try`: where these can be had. */
  readonly disks: boolean | "try";
}

export interface Ground {
  readonly access: HostAccess;
  readonly host: HostRoot;
}

export interface Tools extends Ground {
  readonly stock: FolderStock;
  /** Why containers have no disks of their own; null: they have. */
  readonly withoutDisks: string | null;
}

/**
 * What containers are made with: a mount table, a root, folders. It is set up when it is first asked for.
 *
 * States: untouched → setting up → ready, or failed → disposed.
 */
export class Workshop {
  readonly #options: WorkshopOptions;
  #setUp: { readonly ground: Promise<Ground>; readonly tools: Promise<Tools> } | null = null;
  #disposing: Promise<void> | null = null;

  constructor(options: WorkshopOptions) {
    this.#options = options;
  }

  /** Where runtimes can be started. Rejects where that can't be had. */
  get ground(): Promise<Ground> {
    return this.begin().ground;
  }

  /** All of it. */
  get tools(): Promise<Tools> {
    return this.begin().tools;
  }

  begin(): { readonly ground: Promise<Ground>; readonly tools: Promise<Tools> } {
    if (this.#setUp) return this.#setUp;
    const opening = openGround(this.#options);
    const tools = opening.then(async ({ access, host, space }) => ({ access, host, ...(await openStock(this.#options, host, space)) }));
    // Told to those who ask.
    tools.catch(() => {});
    return (this.#setUp = { ground: opening, tools });
  }

  /** When nothing uses it any more. */
  dispose(): Promise<void> {
    const { ground, tools } = this.#setUp ?? {};
    this.#disposing ??= disposeAll([
      () => tools?.then(({ stock }) => stock.dispose(), ignore),
      () => ground?.then(({ access }) => access.dispose(), ignore),
      () => removeFolder(this.#options.folder),
      () => removeFolder(this.#options.rootFolder),
    ]);
    return this.#disposing;
  }
}

/** Told to those who asked for it. */
const ignore = (): void => {};

async function openGround({ home, folder, rootFolder, isRoot }: WorkshopOptions): Promise<Ground & { readonly space: MountSpace | null }> {
  const opening = openHostAccess(home, isRoot);
  opening.catch(() => {});
  try {
    await removeFolder(folder);
    const host = await prepareHostRoot(rootFolder);
    return { host, ...(await opening) };
  } catch (error) {
    await opening.then(({ access }) => access.dispose()).catch(() => {});
    throw error;
  }
}

/** Whether there can be disks is known when the first was made. */
async function openStock(
  { home, folder, clock, logger, disks }: WorkshopOptions,
  host: HostRoot,
  space: MountSpace | null,
): Promise<{ readonly stock: FolderStock; readonly withoutDisks: string | null }> {
  const open = async (made: Disks | null): Promise<FolderStock> => {
    const stock = new FolderStock({ home, folder: join(folder, "stock"), host, disks: made, clock, logger });
    await stock.open();
    return stock;
  };
  const no = "What containers write to disk is not limited";
  if (!space || !disks) return { stock: await open(null), withoutDisks: `${no}: run the server as root` };
  try {
    return { stock: await open(new Disks(space)), withoutDisks: null };
  } catch (error) {
    if (disks !== "try") throw error;
    logger.info({ error }, "Containers can't have disks of their own");
    return { stock: await open(null), withoutDisks: `${no} (${(error as Error).message}): it needs loop devices and \`apt-get install e2fsprogs\`` };
  }
}
