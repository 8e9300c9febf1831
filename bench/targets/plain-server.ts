import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface PlainServer {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** The least that a JSON endpoint can be. */
export const BARE_SERVER = fileURLToPath(new URL("bare-server.mjs", import.meta.url));
const FRAMEWORK_SERVER = fileURLToPath(new URL("framework-server.mjs", import.meta.url));

/**
 * A server of this folder, in an environment as clean as a container's: an inherited variable can cost Node tens of
 * milliseconds at its start. Resolves when it says that it listens.
 */
export async function startPlainServer(name: "bare-server" | "framework-server"): Promise<PlainServer> {
  const child = spawn(process.execPath, [name === "bare-server" ? BARE_SERVER : FRAMEWORK_SERVER], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { NODE_ENV: "production" },
  });
  const exited = once(child, "exit");
  return {
    port: await untilListening(child, name),
    pid: child.pid!,
    async stop() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** The port, which is the first line that such a server writes. Throws what was written when the process ends before. */
export async function untilListening(child: ChildProcess, name: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let written = "";
  let errors = "";
  child.stdout!.on("data", (chunk: Buffer) => {
    written += chunk.toString();
    const line = /^(\d+)\r?\n/.exec(written)?.[1];
    if (line !== undefined) resolve(Number(line));
  });
  child.stderr!.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  child.once("error", reject);
  child.once("close", () => reject(new Error(`${name} ended before it listened:\n${written}${errors}`)));
  return promise;
}
