import { spawn } from "node:child_process";
import { openSync, readFileSync, readdirSync, writeFileSync, writeSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";

/**
 * What stands in place of the runner in the driver conformance suite: it connects to the server's address and does
 * what the test tells it, one JSON line for each order and answer. Runs as a file of its own, and, for drivers
 * without processes, inside the test through `playProbe`.
 */
export interface ProbeOrder {
  readonly id: number;
  readonly order: string;
  readonly args: readonly unknown[];
}

export interface ProbeHello {
  readonly containerId: string;
  readonly token: string;
  readonly pid: number;
}

export type ProbeActions = Readonly<Record<string, (...args: never[]) => unknown>>;

/** The probe as a program: the `runnerFile` of a driver under test. */
export const probeFile: string = import.meta.filename;

/** The same for drivers whose containers know the runner by another name: a file of plain JavaScript in `folder`. */
export async function writeProbe(folder: string): Promise<string> {
  const file = join(folder, "probe.mjs");
  await writeFile(file, stripTypeScriptTypes(await readFile(probeFile, "utf8")));
  return file;
}

/** Obeys until the connection ends. */
export function obey(connection: Duplex, hello: ProbeHello, actions: ProbeActions): void {
  connection.write(`${JSON.stringify(hello)}\n`);
  createInterface({ input: connection }).on("line", (line) => {
    const { id, order, args } = JSON.parse(line) as ProbeOrder;
    void (async () => {
      try {
        const action = actions[order];
        if (!action) throw new Error(`The probe can't ${order} here`);
        const value = await action(...(args as never[]));
        connection.write(`${JSON.stringify({ id, value: value ?? null })}\n`);
      } catch (error) {
        connection.write(`${JSON.stringify({ id, error: String(error) })}\n`);
      }
    })();
  });
}

/** The probe without a process: only what a driver's fake can play. */
export function playProbe(
  spec: { readonly containerId: string; readonly token: string },
  connection: Duplex,
  control: {
    readonly pid: number;
    output(stream: "stdout" | "stderr", text: string): void;
    onTerminate(listener: () => void): void;
    exit(code?: number): void;
  },
): void {
  control.onTerminate(() => {
    control.output("stdout", "terminating\n");
    control.exit(0);
  });
  obey(connection, { containerId: spec.containerId, token: spec.token, pid: control.pid }, { print: control.output, exit: control.exit });
}

const kept: unknown[] = [];
const childEnds = new Map<number, Promise<void>>();

const processActions: ProbeActions = {
  print: (stream: "stdout" | "stderr", text: string) => new Promise((resolve) => process[stream].write(text, resolve)),
  exit: (code: number) => process.exit(code),
  raise: (signal: NodeJS.Signals) => process.kill(process.pid, signal),
  writeAndDie: (text: string) => {
    writeSync(2, text);
    process.kill(process.pid, "SIGKILL");
  },
  ignoreTerm: () => void process.removeAllListeners("SIGTERM").on("SIGTERM", () => {}),
  place: () => ({ cwd: process.cwd(), env: process.env, argv: process.argv, execArgv: process.execArgv }),
  /** Writes lines to both descriptors by a program that ends when it can't, and by itself; answers how the program ended. */
  writeOn: (lines: number) =>
    new Promise((resolve) => {
      writeSync(1, "itself\n");
      writeSync(2, "itself\n");
      const script = `i=0; while [ $i -lt ${lines} ]; do echo line $i; echo line $i >&2; i=$((i+1)); done`;
      spawn("/bin/sh", ["-c", script], { stdio: ["ignore", "inherit", "inherit"] }).once("exit", (code, signal) => resolve({ code, signal }));
    }),
  list: () => readdirSync(".", { recursive: true }),
  read: (path: string) => readFileSync(path, "utf8"),
  write: (path: string, text: string) => writeFileSync(path, text),
  /** Runs a shell's script to its end; answers its status and all that it wrote. */
  sh: (script: string) =>
    new Promise((resolve) => {
      const shell = spawn("/bin/sh", ["-c", script], { stdio: ["ignore", "pipe", "pipe"] });
      let out = "";
      for (const stream of [shell.stdout, shell.stderr]) stream.on("data", (chunk: Buffer) => void (out += chunk.toString()));
      shell.once("error", (error) => resolve({ status: null, out: error.message }));
      shell.once("close", (status) => resolve({ status, out }));
    }),
  /** How many MiB a file could be filled with. */
  writeUntilFull: (path: string) => {
    const file = openSync(path, "w");
    const chunk = Buffer.alloc(1 << 20, 1);
    for (let mib = 0; ; mib++) {
      try {
        if (writeSync(file, chunk) < chunk.length) return mib;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
        return mib;
      }
    }
  },
  /** A child that stays, in a session of its own if asked. */
  child: (detached: boolean) => {
    const child = spawn("sleep", ["600"], { detached, stdio: "ignore" });
    childEnds.set(child.pid!, new Promise((resolve) => child.once("exit", () => resolve())));
    return child.pid;
  },
  /** Waits until such a child has ended and nothing of it is left. */
  childEnded: (pid: number) => childEnds.get(pid),
  /** A process in a session of its own whose parent has ended; it keeps standard output open. */
  orphan: () =>
    new Promise((resolve) => {
      const script = spawn(
        process.execPath,
        ["-e", `console.log(require("child_process").spawn("sleep", ["600"], { detached: true, stdio: ["ignore", "ignore", "inherit"] }).pid); process.exit()`],
        {
          stdio: ["ignore", "pipe", "inherit"],
        },
      );
      script.stdout.once("data", (pid: Buffer) => script.once("exit", () => resolve(Number(pid))));
    }),
  /** Fills this much memory outside of V8's heap and stays. */
  fill: async (mib: number) => {
    for (let i = 0; i < mib; i++) {
      kept.push(Buffer.alloc(1024 * 1024, 1));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  },
  /** Fills V8's heap until something ends it, with what the collector has not to look into: else that takes seconds of processor time. */
  fillHeap: async () => {
    const text = Buffer.alloc(32_000, "x");
    for (;;) {
      for (let i = 0; i < 100; i++) kept.push(text.toString("latin1"));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  },
  /** The same in a child; answers how it ended. */
  fillInChild: (mib: number) =>
    new Promise((resolve) => {
      const script = `const kept = []; (function fill() { if (kept.length < ${mib}) { kept.push(Buffer.alloc(1 << 20, 1)); setImmediate(fill); } else setInterval(() => {}, 1e6); })()`;
      spawn(process.execPath, ["-e", script], { stdio: "ignore" }).once("exit", (code, signal) => resolve({ code, signal }));
    }),
  /** How many of so many children could be started. */
  children: async (wanted: number) => {
    let started = 0;
    for (let i = 0; i < wanted; i++) {
      started += await new Promise<number>((resolve) => {
        try {
          spawn("sleep", ["600"], { stdio: "ignore" })
            .once("spawn", () => resolve(1))
            .once("error", () => resolve(0));
        } catch {
          resolve(0);
        }
      });
    }
    return started;
  },
  /** Computes for this long; answers how much processor time it got. */
  compute: (durationMs: number) => {
    const before = process.cpuUsage();
    for (const end = performance.now() + durationMs; performance.now() < end;);
    const used = process.cpuUsage(before);
    return (used.user + used.system) / 1_000;
  },
};

if (import.meta.main && process.env["SAMOVAR_SERVER"] !== undefined) {
  process.on("SIGTERM", () => process.stdout.write("terminating\n", () => process.exit(0)));
  const dial = (): void => {
    const connection = connect(process.env["SAMOVAR_SERVER"]!);
    connections++;
    // Without its server it has no business.
    connection.on("error", () => {}).on("close", () => --connections || process.exit(0));
    const hello = { containerId: process.env["SAMOVAR_CONTAINER_ID"]!, token: process.env["SAMOVAR_TOKEN"]!, pid: process.pid };
    obey(connection, hello, { ...processActions, dial });
  };
  let connections = 0;
  dial();
}
