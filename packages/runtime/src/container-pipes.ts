import { execFile } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { makeFolders } from "@samovar/kit";
import { removeFolder } from "./container-folder.ts";
import { SYSTEM_PATH } from "./container-process.ts";

const run = promisify(execFile);

/**
 * A container's pipes have names and lie in its folder, and its processes hold both ends of them. So they break for nobody
 * when the server dies: who writes meets no error, and waits once 64 KiB are unread; the next server reads on.
 *
 * `life` is held by those alone whose end is the container's, and tells it by its own. What init of the oci driver has to
 * say of its main program goes through it.
 */
const NAMES = ["stdout", "stderr", "life"] as const;
type PipeName = (typeof NAMES)[number];
const FOLDER = "pipes";
/** Of what comes while nobody reads, so much is kept. */
const MAX_KEPT_BYTES = 256 * 1_024;
/** Sets of pipes that are made at a time, and with how few left more are made. */
const BATCH = 8;
const FEW = 2;

/** Reads on at all times; the last of what came before somebody wanted it is kept. */
export class PipeReader {
  readonly closed: Promise<void>;
  readonly #stream: Readable;
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  #listener: ((chunk: Buffer) => void) | null = null;

  constructor(stream: Readable) {
    this.#stream = stream;
    // A pipe that breaks ends like one that closes.
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => (this.#listener ? this.#listener(chunk) : this.#keep(chunk)));
    this.closed = new Promise((resolve) => stream.once("close", resolve));
  }

  read(listener: (chunk: Buffer) => void): void {
    this.#listener = listener;
    for (const chunk of this.#kept.splice(0)) listener(chunk);
  }

  close(): void {
    this.#stream.destroy();
  }

  #keep(chunk: Buffer): void {
    this.#kept.push(chunk);
    this.#keptBytes += chunk.length;
    while (this.#keptBytes > MAX_KEPT_BYTES && this.#kept.length > 1) this.#keptBytes -= this.#kept.shift()!.length;
  }
}

export type ContainerPipes = Readonly<Record<PipeName, PipeReader>>;

export interface OpenedPipes {
  readonly pipes: ContainerPipes;
  /** What the container's processes are started with. */
  readonly ends: Readonly<Record<PipeName, number>>;
  /** To be called when they have been started, or could not be: from then on only they hold them. */
  closeEnds(): void;
}

/** Makes those of containers whose folders these are. Takes one program, however many there are. */
export async function makePipes(folders: readonly string[]): Promise<void> {
  await Promise.all(folders.map((folder) => mkdir(join(folder, FOLDER), { mode: 0o700 })));
  await run("mkfifo", ["-m", "600", ...folders.flatMap((folder) => NAMES.map((name) => join(folder, FOLDER, name)))], { env: { PATH: SYSTEM_PATH } });
}

/** What a container's programs may open anew, as `/dev/stdout` and `/dev/stderr`. */
export function outputPipes(folder: string): string[] {
  return [join(folder, FOLDER, "stdout"), join(folder, FOLDER, "stderr")];
}

/** For a container that is about to be started. */
export function openPipes(folder: string): OpenedPipes {
  const open: number[] = [];
  const each = <T>(toValue: (path: string) => T): Record<PipeName, T> =>
    Object.fromEntries(NAMES.map((name) => [name, toValue(join(folder, FOLDER, name))])) as Record<PipeName, T>;
  const closeEnds = (): void => open.splice(0).forEach((end) => closeSync(end));
  try {
    // First the container's: with nobody to write, a pipe that is read has ended.
    const ends = each((path) => open[open.push(openSync(path, constants.O_RDWR)) - 1]!);
    return { ends, pipes: reopenPipes(folder), closeEnds };
  } catch (error) {
    closeEnds();
    throw error;
  }
}

/** For a container that runs. Throws where it has none. */
export function reopenPipes(folder: string): ContainerPipes {
  const opened: number[] = [];
  try {
    for (const name of NAMES) opened.push(openSync(join(folder, FOLDER, name), constants.O_RDONLY | constants.O_NONBLOCK));
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    throw error;
  }
  const [stdout, stderr, life] = opened.map((fd) => new PipeReader(new Socket({ fd, readable: true, writable: false }))) as [
    PipeReader,
    PipeReader,
    PipeReader,
  ];
  return { stdout, stderr, life };
}

export function closePipes(pipes: ContainerPipes): void {
  for (const name of NAMES) pipes[name].close();
}

/**
 * Pipes that were made ahead, in a folder of their own beside those of the containers.
 *
 * States: open → disposed.
 */
export class PipeStock {
  readonly #folder: string;
  readonly #ready: string[] = [];
  #made = 0;
  #making: Promise<void>;

  constructor(folder: string) {
    this.#folder = folder;
    this.#making = removeFolder(folder).then(() => this.#make());
    // Told to whoever needs some.
    this.#making.catch(() => {});
  }

  /** Puts some into a container's folder. */
  async take(folder: string): Promise<void> {
    for (let set = this.#ready.pop(); ; set = this.#ready.pop()) {
      if (this.#ready.length < FEW) this.#fill();
      if (set !== undefined) return rename(join(set, FOLDER), join(folder, FOLDER));
      await this.#making;
    }
  }

  async dispose(): Promise<void> {
    await this.#making.catch(() => {});
    await removeFolder(this.#folder);
  }

  /** What failed before is tried anew. */
  #fill(): void {
    const making = this.#making.catch(() => {}).then(() => (this.#ready.length < FEW ? this.#make() : undefined));
    making.catch(() => {});
    this.#making = making;
  }

  async #make(): Promise<void> {
    const sets = Array.from({ length: BATCH }, () => join(this.#folder, String(this.#made++)));
    for (const set of sets) makeFolders(set, 0o700);
    await makePipes(sets);
    this.#ready.push(...sets);
  }
}
