import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { disposeAll, silentLogger, systemClock, type Logger } from "@samovar/kit";
import type { ExitStatus } from "@samovar/protocol";
import { createOciDriver, type ContainerLimits, type ContainerSpec, type RunningContainer, type RuntimeDriver } from "@samovar/runtime";
import { writeProbe } from "../driver-probe.ts";
import { ProbeServer, type Probe } from "../probe-server.ts";

export interface Contained {
  readonly container: RunningContainer;
  readonly probe: Probe;
  readonly exit: Promise<ExitStatus>;
  /** Runs a script as a child of the container's main process. */
  sh(script: string): Promise<ShellResult>;
  /** The same, as a program that is run in the container from outside. */
  exec(script: string): Promise<ShellResult>;
}

export interface ShellResult {
  readonly status: number | null;
  /** What it wrote, without space at the end. */
  readonly out: string;
}

export interface Jail {
  readonly driver: RuntimeDriver;
  /** Where the driver has its containers' folders. */
  readonly home: string;
  specify(spec?: Partial<Omit<ContainerSpec, "limits">> & { readonly limits?: Partial<ContainerLimits> }): ContainerSpec;
  start(spec?: Partial<Omit<ContainerSpec, "limits">> & { readonly limits?: Partial<ContainerLimits> }): Promise<Contained>;
  dispose(): Promise<void>;
}

const LIMITS: ContainerLimits = { cpuMillis: 1_000, memoryMib: 256, maxProcesses: 64, diskMib: 64, workers: 1 };

/** A driver of real containers in `folder`, whose containers run the probe. */
export async function createJail(folder: string, runtime: "crun" | "runc", logger: Logger = silentLogger): Promise<Jail> {
  const home = join(folder, "containers");
  const code = join(folder, "code");
  await mkdir(join(code, "data"), { recursive: true });
  await writeFile(join(code, "index.mjs"), "export {};\n");
  await writeFile(join(code, "data/words.txt"), "one two");
  const socket = join(folder, "server/s");
  const probes = await ProbeServer.listen(socket);
  const runnerFile = await writeProbe(dirname(home));
  const driver = await createOciDriver({ home, nodePath: process.execPath, runnerFile, clock: systemClock, logger, runtimes: [runtime] }).catch(
    async (error: unknown) => {
      await probes.dispose();
      throw error;
    },
  );
  let count = 0;
  const specify: Jail["specify"] = ({ limits, ...spec } = {}) => ({
    // Unlike those of other suites: leftovers are found by it, on all of the machine.
    containerId: `ct_jail_${process.pid}_${++count}`,
    functionName: "probe",
    serverAddress: socket,
    token: `token-${count}`,
    code: { codeId: "code-1", sourceDir: code, entry: "index.mjs", nodeModules: [] },
    env: {},
    serverUrl: "http://127.0.0.1:8700",
    network: { mode: "host", allow: [] },
    gpus: [],
    limits: { ...LIMITS, ...limits },
    ...spec,
  });
  return {
    driver,
    home,
    specify,
    async start(asked) {
      const spec = specify(asked);
      const exit = Promise.withResolvers<ExitStatus>();
      const container = await driver.start(spec, { output: () => {}, mainExited: exit.resolve });
      const probe = await probes.probe(spec.containerId);
      return {
        container,
        probe,
        exit: exit.promise,
        async sh(script) {
          const { status, out } = await probe.order<ShellResult>("sh", script);
          return { status, out: out.trim() };
        },
        async exec(script) {
          const exec = await container.exec({ argv: ["/bin/sh", "-c", script], env: {}, cwd: null, terminal: null });
          exec.stdin.end();
          const [stdout, stderr, { code }] = await Promise.all([text(exec.stdout), text(exec.stderr!), exec.exited]);
          return { status: code, out: (stdout + stderr).trim() };
        },
      };
    },
    dispose: () => disposeAll([() => driver.dispose(), () => probes.dispose()]),
  };
}
