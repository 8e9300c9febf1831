import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** The `samovar` command as npm puts it on the path. */
export const SAMOVAR = fileURLToPath(new URL("../../../../node_modules/.bin/samovar", import.meta.url));

export interface CliExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A `samovar` command that runs as a process of its own. */
export interface CliProcess {
  readonly pid: number;
  readonly out: () => string;
  readonly err: () => string;
  /** Resolves with the match as soon as what it wrote has it; rejects with all that it wrote when it ends before. */
  sees(pattern: RegExp): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): void;
  readonly exited: Promise<CliExit>;
}

export interface CliOptions {
  readonly cwd: string;
  readonly home: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * What the real command has of this process's environment: the path, and where Node keeps what it has compiled. Without the
 * latter each server on a fresh home compiles its sources anew, which is half of its start.
 */
export const INHERITED: Readonly<Record<string, string>> = Object.fromEntries(
  ["PATH", "NODE_COMPILE_CACHE"].flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
);

/** Starts the real command. Its environment has nothing of this process's but `INHERITED`. */
export function startCli(args: readonly string[], options: CliOptions): CliProcess {
  const child = spawn(process.execPath, [SAMOVAR, ...args], {
    cwd: options.cwd,
    env: { ...INHERITED, HOME: dirname(options.home), SAMOVAR_HOME: options.home, SAMOVAR_LOG_LEVEL: "warn", ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const text = { out: "", err: "" };
  const waiting = new Set<() => void>();
  for (const [stream, key] of [
    [child.stdout, "out"],
    [child.stderr, "err"],
  ] as const) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      text[key] += chunk;
      for (const look of [...waiting]) look();
    });
  }
  // `close`, not `exit`: all that it wrote has been read then.
  const exited = new Promise<CliExit>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  return {
    pid: child.pid!,
    out: () => text.out,
    err: () => text.err,
    sees(pattern) {
      const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
      const look = (): void => {
        const match = pattern.exec(text.out + text.err);
        if (!match) return;
        waiting.delete(look);
        resolve(match);
      };
      waiting.add(look);
      look();
      void exited.then(({ code, signal }) =>
        reject(new Error(`samovar ${args.join(" ")} ended (${signal ?? code}) without writing ${String(pattern)}:\n${text.out}${text.err}`)),
      );
      return promise;
    },
    kill: (signal) => void child.kill(signal),
    exited,
  };
}
