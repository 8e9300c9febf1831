import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Clock, Logger } from "@samovar/kit";
import type { HomePaths } from "./paths.ts";

/** Contents, builds, compile caches and logs that nobody used for this long are removed. All but logs can be made again. */
const UNUSED_MS = 7 * 24 * 3_600_000;
/** Logs of the containers that wrote last are kept, so many files. */
const LOG_FILES = 500;
/** What is unused is looked for at most this often, however often a server starts. */
const SWEEP_EVERY_MS = 24 * 3_600_000;
/** Of things that are being made, or removed: nothing is read from them. */
export const PARTIAL = ".partial";

export interface RetentionOptions {
  readonly home: HomePaths;
  /** The runner of this server, which stays. */
  readonly runnerFile: string;
  /** When this server started: before it made anything. */
  readonly startedAtMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Marks a file or folder as used now: its modification time is what retention goes by. False when it is not there. */
export async function markUsed(path: string, nowMs: number): Promise<boolean> {
  const now = new Date(nowMs);
  return utimes(path, now, now).then(
    () => true,
    () => false,
  );
}

/**
 * Puts aside the code folders of an earlier server, but for those that deployed versions use. The home's lock is ours and
 * this server has placed nothing yet. Containers have copies of their own, except of `node_modules` inside the code, to
 * which they have links: while some of a dead server's still live, code is left to the next start.
 */
export async function clearDeadCode(home: HomePaths, deployed: ReadonlySet<string> = new Set()): Promise<void> {
  const [containers, code] = await Promise.all([readdir(home.containers), readdir(home.code)]);
  const dead = code.filter((codeId) => !deployed.has(codeId));
  // A driver's own folders begin with a dot.
  if (containers.some((name) => !name.startsWith(".")) || dead.length === 0) return;
  const aside = `${home.code}.${randomUUID()}${PARTIAL}`;
  await mkdir(aside, { mode: 0o700 });
  for (const codeId of dead) await rename(join(home.code, codeId), join(aside, codeId));
}

/**
 * Keeps the home from growing without end: in the background, one file after another, and never a reason to fail. What
 * earlier servers left goes at every start, what is unused once a day.
 *
 * States: sweeping ⇄ waiting (a timer is set) → disposed.
 */
export class Retention {
  readonly #options: RetentionOptions;
  #sweeping: Promise<void>;
  #cancelTimer: () => void = () => {};
  #disposed = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#sweeping = this.#sweep();
  }

  /** Resolves when what is going on is done. */
  get idle(): Promise<void> {
    return this.#sweeping;
  }

  /** Ends it after the file that is being removed. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    this.#cancelTimer();
    await this.#sweeping;
  }

  async #sweep(): Promise<void> {
    const { home, clock } = this.#options;
    const stamp = join(home.cache, "last-sweep");
    await this.#removeLeftovers();
    if (clock.now() - (await modifiedAtMs(stamp)) >= SWEEP_EVERY_MS) {
      await this.#removeUnused();
      await this.#try(stamp, async () => {
        await writeFile(stamp, "");
        await markUsed(stamp, clock.now());
      });
    }
    if (this.#disposed) return;
    this.#cancelTimer = clock.after(SWEEP_EVERY_MS, () => void (this.#sweeping = this.#sweep()));
  }

  async #removeLeftovers(): Promise<void> {
    const { home, runnerFile } = this.#options;
    await this.#each(home.root, (path) => path.endsWith(PARTIAL));
    await this.#each(home.code, (path) => this.#isAbandoned(path));
    const runnersInUse = await this.#hasEarlierContainers();
    await this.#each(home.cache, (path) => {
      const name = basename(path);
      if (!/^runner-.+\.mjs$/.test(name) || path === runnerFile) return false;
      return name.endsWith(`${PARTIAL}.mjs`) || !runnersInUse;
    });
  }

  /** Those that were taken back start their workers from the runner that they were started with, as long as they live. */
  async #hasEarlierContainers(): Promise<boolean> {
    const { home, startedAtMs } = this.#options;
    // A driver's own folders begin with a dot.
    const folders = (await list(home.containers)).filter((name) => !name.startsWith("."));
    const madeAtMs = await Promise.all(folders.map((name) => modifiedAtMs(join(home.containers, name))));
    return madeAtMs.some((atMs) => atMs > 0 && atMs < startedAtMs);
  }

  async #removeUnused(): Promise<void> {
    const { home } = this.#options;
    for (const name of await list(home.blobs))
      await this.#each(join(home.blobs, name), async (path) => (await this.#isAbandoned(path)) || this.#isUnused(path));
    await this.#each(home.builds, async (path) => (await this.#isAbandoned(path)) || this.#isUnused(path));
    await this.#each(join(home.cache, "compile"), (path) => this.#isUnused(path));
    // The server's own log lies there, too.
    const isLog = (path: string): boolean => /\.ndjson(\.1)?$/.test(path);
    await this.#each(home.logs, (path) => isLog(path) && this.#isUnused(path));
    const logs = (await list(home.logs)).filter(isLog).map((name) => join(home.logs, name));
    const dated = await Promise.all(logs.map(async (path) => ({ path, atMs: await modifiedAtMs(path) })));
    const beyond = new Set(
      dated
        .toSorted((a, b) => b.atMs - a.atMs)
        .slice(LOG_FILES)
        .map(({ path }) => path),
    );
    if (beyond.size > 0) await this.#each(home.logs, (path) => beyond.has(path));
  }

  /** Left half made by an earlier server; what this one is making is younger than itself. */
  async #isAbandoned(path: string): Promise<boolean> {
    return path.endsWith(PARTIAL) && (await modifiedAtMs(path)) < this.#options.startedAtMs;
  }

  async #isUnused(path: string): Promise<boolean> {
    return (await modifiedAtMs(path)) < this.#options.clock.now() - UNUSED_MS;
  }

  async #each(dir: string, isOver: (path: string) => boolean | Promise<boolean>): Promise<void> {
    for (const name of await list(dir)) {
      if (this.#disposed) return;
      const path = join(dir, name);
      await this.#try(path, async () => {
        if (await isOver(path)) await rm(path, { recursive: true, force: true });
      });
    }
  }

  async #try(path: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.logger.warn({ path, error: String(error) }, "What is no longer used can't be removed");
    }
  }
}

async function list(dir: string): Promise<string[]> {
  return readdir(dir).catch(() => []);
}

/** Long ago for what is not there. */
async function modifiedAtMs(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.mtimeMs,
    () => 0,
  );
}
