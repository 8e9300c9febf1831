import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { inHome } from "./in-home.ts";
import { makeFolders } from "@samovar/kit";
import { SamovarError, fromSerializedError, type SerializedError } from "@samovar/protocol";

export interface ServerProcessOptions {
  readonly home: string;
  /** Ends with its last session; else it stays until it is stopped. */
  readonly embedded: boolean;
  readonly host?: string | undefined;
  /** A free one is taken when it is left out and the server is embedded. */
  readonly port?: number | undefined;
  readonly driver?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A server that was started and is ready. */
export interface ServerProcess {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  /**
   * Lets go of it: it lives on by itself. An embedded server that was let go before a session was opened ends, so
   * that a command killed in between leaves nothing behind.
   */
  release(): void;
}

/** First and only message of a server to the command that started it. */
type ServerReport = { readonly url: string; readonly token: string } | { readonly error: SerializedError };

const START_TIMEOUT_MS = 30_000;
const END_TIMEOUT_MS = 3_000;
const LOG_LINES = 20;

/**
 * Starts a server beside this process, in a session of its own so that a Ctrl-C at the terminal doesn't reach it;
 * what it writes goes to logs/server.log. Resolves when it is ready, which it says itself over a channel. Rejects
 * with its own error (`home_locked`, `port_in_use`), or `internal` with the end of its log.
 */
export async function startServerProcess(options: ServerProcessOptions, signal: AbortSignal): Promise<ServerProcess> {
  signal.throwIfAborted();
  const logDir = join(options.home, "logs");
  const logFile = join(logDir, "server.log");
  const log = await inHome(options.home, async () => {
    makeFolders(logDir, 0o700);
    return await open(logFile, "a", 0o600);
  });
  try {
    const logStart = (await log.stat()).size;
    const child = spawn(process.execPath, [...toExecArguments(process.execArgv), serverEntryPath()], {
      detached: true,
      stdio: ["ignore", log.fd, log.fd, "ipc"],
      cwd: options.home,
      env: toServerEnv(options),
    });
    const report = await waitForReport(child, signal, () => readTail(logFile, logStart));
    return {
      url: report.url,
      token: report.token,
      pid: child.pid!,
      release() {
        if (child.connected) child.disconnect();
        child.unref();
      },
    };
  } finally {
    await log.close();
  }
}

/** The module that is a server when it is run. Resolved, not imported: a server is much to load. */
export function serverEntryPath(): string {
  return createRequire(import.meta.url).resolve("@samovar/server/main");
}

/** Of this process's own flags, what the server needs to run from the same sources. */
function toExecArguments(execArgv: readonly string[]): string[] {
  return execArgv.filter((arg) => arg.startsWith("--conditions="));
}

function toServerEnv(options: ServerProcessOptions): Record<string, string> {
  const { SAMOVAR_URL: _url, SAMOVAR_TOKEN: _token, ...rest } = options.env;
  const env: Record<string, string | undefined> = {
    ...rest,
    SAMOVAR_HOME: options.home,
    SAMOVAR_EMBEDDED: options.embedded ? "1" : undefined,
    SAMOVAR_HOST: options.host ?? rest.SAMOVAR_HOST,
    SAMOVAR_PORT: options.port !== undefined ? String(options.port) : options.embedded ? "0" : rest.SAMOVAR_PORT,
    SAMOVAR_DRIVER: options.driver ?? rest.SAMOVAR_DRIVER,
    // Half of a server's start is compiling its own modules; containers get an environment of their own.
    NODE_COMPILE_CACHE: rest.NODE_COMPILE_CACHE ?? join(options.home, "cache", "v8"),
  };
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

async function waitForReport(child: ChildProcess, signal: AbortSignal, readLog: () => Promise<string>): Promise<{ url: string; token: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<ServerReport>();
  const fail = (what: string) => async (): Promise<void> => {
    const log = await readLog();
    reject(new SamovarError("internal", `The server ${what} before it was ready${log ? `. It wrote:\n${log}` : ""}`));
  };
  const onAbort = (): void => reject(signal.reason);
  const timer = setTimeout(() => void fail(`said nothing for ${START_TIMEOUT_MS / 1_000} s`)(), START_TIMEOUT_MS);
  child.once("message", (message) => resolve(message as ServerReport));
  child.once("error", reject);
  child.once("exit", (code, killedBy) => void fail(`ended with ${killedBy ?? `exit ${code}`}`)());
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const report = await promise;
    if ("error" in report) throw fromSerializedError(report.error);
    return report;
  } catch (error) {
    await end(child, signal.aborted ? "SIGTERM" : "SIGKILL");
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    child.removeAllListeners();
  }
}

/** A server that nobody waits for any more takes down what it has built so far; one that doesn't is killed. */
async function end(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, "exit");
    child.kill(signal);
    const killer = setTimeout(() => child.kill("SIGKILL"), END_TIMEOUT_MS);
    await ended.finally(() => clearTimeout(killer));
  }
  if (child.connected) child.disconnect();
}

async function readTail(logFile: string, from: number): Promise<string> {
  const bytes = await readFile(logFile).catch(() => Buffer.alloc(0));
  return bytes.subarray(from).toString("utf8").trimEnd().split("\n").slice(-LOG_LINES).join("\n");
}
