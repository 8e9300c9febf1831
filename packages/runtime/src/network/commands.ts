import { spawn } from "node:child_process";

/** What became of a program. `code` is null where it could not be started or was ended by a signal. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that doesn't answer within this time is ended: the kernel's network lock can be held by others for seconds. */
const TIMEOUT_MS = 30_000;
/** Answers are read up to here: the routes of a router with full tables are not needed. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** Never rejects. */
export function runCommand(program: string, args: readonly string[], input = ""): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ["pipe", "pipe", "pipe"],
      timeout: TIMEOUT_MS,
      killSignal: "SIGKILL",
      env: { PATH: SYSTEM_PATH, LC_ALL: "C" },
    });
    const read = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const)
      child[name].setEncoding("utf8").on("data", (text: string) => {
        if (read[name].length < MAX_OUTPUT_BYTES) read[name] += text;
      });
    // It may end before it has read everything; its exit code says what is wrong.
    child.stdin.on("error", () => {});
    child.on("error", (error) => resolve({ code: null, stdout: "", stderr: error.message }));
    child.on("close", (code, signal) => resolve({ code, ...read, stderr: signal ? `${read.stderr}ended by ${signal}` : read.stderr }));
    child.stdin.end(input);
  });
}

/** The programs are the system's, wherever the server's own PATH leads. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A list of JSON objects, as `ip -json` prints; empty where it can't be had. */
export function parseList(result: CommandResult): unknown[] {
  if (result.code !== 0 || result.stdout.trim() === "") return [];
  const parsed: unknown = JSON.parse(result.stdout);
  return Array.isArray(parsed) ? parsed : [];
}
