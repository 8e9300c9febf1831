import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface PlainServer {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/**
 * A server of this folder, in an environment as clean as a container's: an inherited variable can cost Node tens of
 * milliseconds at its start. Resolves when it says that it listens.
 */
export async function startPlainServer(name: "bare-server" | "framework-server"): Promise<PlainServer> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`${name}.mjs`, import.meta.url))], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { NODE_ENV: "production" },
  });
  const exited = once(child, "exit");
  const [line] = (await Promise.race([once(child.stdout, "data"), exited.then(() => Promise.reject(new Error(`${name} ended before it listened`)))])) as [
    Buffer,
  ];
  return { port: Number(line.toString()), pid: child.pid!, stop: () => kill(child, exited) };
}

async function kill(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  child.kill("SIGKILL");
  await exited;
}
