import { spawn } from "node:child_process";
import { access, constants, readFile, stat, statfs } from "node:fs/promises";
import { createServer } from "node:net";

/** What checks see of the machine: looks only, nothing is changed. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  /** The kernel's, as `6.18.5`. */
  readonly release: string;
  readonly arch: string;
  readonly nodeVersion: string;
  /** 0: root. Null where there are no such ids. */
  readonly uid: number | null;
  readonly cores: number;
  readonly memoryBytes: number;
  /** The text of a file; null where it can't be read. */
  read(path: string): Promise<string | null>;
  writable(path: string): Promise<boolean>;
  kindOf(path: string): Promise<"folder" | "other" | null>;
  freeBytes(folder: string): Promise<number>;
  /** Null: it is not installed. What doesn't end in time counts as failed. */
  run(program: string, args: readonly string[]): Promise<CommandOutcome | null>;
  /** Why nothing can listen there; null: something can. */
  listenProblem(host: string, port: number): Promise<string | null>;
}

export interface CommandOutcome {
  readonly ok: boolean;
  /** Standard output, and after it standard error. */
  readonly output: string;
}

const PATIENCE_MS = 5_000;
/** Where drivers look too: a server's PATH may be another than this command's. */
const SYSTEM_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export function thisMachine(facts: Pick<Machine, "platform" | "release" | "arch" | "nodeVersion" | "uid" | "cores" | "memoryBytes">): Machine {
  return {
    ...facts,
    read: (file) => readFile(file, "utf8").catch(() => null),
    writable: (file) =>
      access(file, constants.W_OK).then(
        () => true,
        () => false,
      ),
    kindOf: (file) =>
      stat(file).then(
        (stats) => (stats.isDirectory() ? "folder" : "other"),
        () => null,
      ),
    freeBytes: async (folder) => {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    },
    run,
    listenProblem,
  };
}

function run(program: string, args: readonly string[]): Promise<CommandOutcome | null> {
  const { promise, resolve } = Promise.withResolvers<CommandOutcome | null>();
  const child = spawn(program, args, {
    env: { PATH: SYSTEM_FOLDERS, LANG: "C" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: PATIENCE_MS,
    killSignal: "SIGKILL",
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) child[name].on("data", (chunk: Buffer) => (output[name] += chunk.toString()));
  child.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ENOENT" ? null : { ok: false, output: error.message }));
  child.once("close", (code) => resolve({ ok: code === 0, output: `${output.stdout}${output.stderr}`.trim() }));
  return promise;
}

function listenProblem(host: string, port: number): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const server = createServer();
  server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  return promise;
}
