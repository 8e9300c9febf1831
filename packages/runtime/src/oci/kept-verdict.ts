import { readFileSync, readlinkSync, statSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import type { Logger } from "@samovar/kit";
import { SYSTEM_PATH } from "../container-process.ts";
import type { NetworkProbe } from "../network/network-probe.ts";
import type { RuntimeName, RuntimeProgram } from "./runtime-program.ts";

/** What was found out about this machine by trying. */
export interface Verdict {
  /** One of those that the circumstances name. */
  readonly runtime: RuntimeName;
  readonly userNamespace: boolean;
  /** Why containers have no disks of their own; null: they have. */
  readonly withoutDisks: string | null;
  readonly networks: NetworkProbe;
}

export interface KeptVerdictOptions {
  readonly file: string;
  /** The containers' folder. */
  readonly home: string;
  readonly programs: readonly RuntimeProgram[];
  readonly ids: { readonly uid: number; readonly gid: number };
  readonly logger: Logger;
}

/** Raised with every change of what the driver asks of a machine: other containers, disks or networks than before. */
const REVISION = 1;
/** What is run besides the runtimes. One that comes, goes or changes may change the verdict. */
const PROGRAMS = ["ip", "mkfs.ext4", "mount", "nft", "nsenter", "unshare"];
/** By which machines allow and forbid namespaces, and packets to pass. */
const SETTINGS = [
  "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
  "/proc/sys/kernel/random/boot_id",
  "/proc/sys/kernel/unprivileged_userns_clone",
  "/proc/sys/net/ipv4/ip_forward",
  "/proc/sys/user/max_mnt_namespaces",
  "/proc/sys/user/max_net_namespaces",
  "/proc/sys/user/max_pid_namespaces",
  "/proc/sys/user/max_user_namespaces",
];
/** A server in a container has others than one beside it, on the same files. */
const NAMESPACES = ["cgroup", "mnt", "net", "pid", "user"];
const RIGHTS = /^(?:CapEff|CapBnd|NoNewPrivs|Seccomp):.*$/gm;

/**
 * The verdict of an earlier driver of this home, in a file beside all that it depends on: it holds as long as nothing of
 * that has changed. Trying takes some 100 ms, and every command without a server starts one. Only what works is kept: who
 * mends a machine wants that to be seen.
 */
export class KeptVerdict {
  readonly #file: string;
  readonly #circumstances: string;
  readonly #logger: Logger;

  constructor(options: KeptVerdictOptions) {
    this.#file = options.file;
    this.#logger = options.logger;
    this.#circumstances = lookAtCircumstances(options);
  }

  /** Null: there is none, or it is of other circumstances. */
  async read(): Promise<Verdict | null> {
    try {
      const kept = JSON.parse(await readFile(this.#file, "utf8")) as { circumstances?: unknown; verdict: Verdict };
      return kept.circumstances === this.#circumstances ? kept.verdict : null;
    } catch {
      // None yet, or not written to its end.
      return null;
    }
  }

  async keep(verdict: Verdict): Promise<void> {
    try {
      await writeFile(`${this.#file}.new`, JSON.stringify({ circumstances: this.#circumstances, verdict }), { mode: 0o600 });
      await rename(`${this.#file}.new`, this.#file);
    } catch (error) {
      this.#logger.warn({ file: this.#file, error }, "What this machine can do can't be kept: the next server tries it again");
    }
  }

  async drop(): Promise<void> {
    await rm(this.#file, { force: true }).catch((error: unknown) => this.#logger.warn({ file: this.#file, error }, "A verdict that is wrong can't be removed"));
  }
}

/** Not in turns: some 60 looks that take 0.5 ms together, and many times that where each has to wait for a thread. */
function lookAtCircumstances({ home, programs, ids }: KeptVerdictOptions): string {
  const others = SYSTEM_PATH.split(":").flatMap((folder) => PROGRAMS.map((name) => join(folder, name)));
  const files = [...programs.map(({ file }) => file), ...others].flatMap((path) => {
    const seen = statSync(path, { throwIfNoEntry: false });
    return seen ? [[path, seen.size, seen.mtimeMs, seen.ino]] : [];
  });
  const namespaces = NAMESPACES.map((name) => orNull(() => readlinkSync(`/proc/self/ns/${name}`)));
  const rights = readOrNull("/proc/self/status")?.match(RIGHTS);
  return JSON.stringify([REVISION, release(), process.arch, ids, home, SETTINGS.map(readOrNull), namespaces, rights, files]);
}

const readOrNull = (path: string): string | null => orNull(() => readFileSync(path, "utf8"));

function orNull<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    return null;
  }
}
