import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { disposeAll } from "@samovar/kit";
import type { DriverCapabilities, ExitStatus } from "@samovar/protocol";
import type { ContainerLimits, ContainerSpec, RunningContainer, RuntimeDriver } from "@samovar/runtime";
import { afterEach, beforeEach, describe, expect, test, type TestContext } from "vitest";
import { describeExec } from "./exec-cases.ts";
import { failOnLeaks, findLeaks, isRunning } from "./leak-check.ts";
import { toHostPid } from "./host-pids.ts";
import { ProbeServer, type Probe } from "./probe-server.ts";

export interface DriverSetting {
  /** The driver's folder; must be empty whenever no container lives. */
  readonly home: string;
  /** For drivers whose containers do not connect to `serverAddress` by themselves. */
  accept(connection: Duplex): void;
}

export interface DriverUnderTest {
  /** A driver whose containers run the probe: `probeFile` as the runner, or `playProbe`. */
  make(setting: DriverSetting): Promise<RuntimeDriver>;
  /** Why containers have no real processes, where they have none: cases about processes, files and environment are skipped. */
  readonly withoutProcesses?: string;
  /** What this machine lacks for the driver: all cases are skipped by it. */
  readonly missing?: string | null;
}

const HOME = "containers";
const LIMITS: ContainerLimits = { cpuMillis: 1_000, memoryMib: 256, maxProcesses: 64, diskMib: 1_024, workers: 1 };
/** More than any memory limit below, so that filling it ends the filler. */
const TOO_MUCH_MIB = 600;

interface Started {
  readonly spec: ContainerSpec;
  readonly container: RunningContainer;
  readonly probe: Probe;
  readonly exit: Promise<ExitStatus>;
  /** Calls to mainExited. */
  readonly exits: readonly ExitStatus[];
  output(stream: "stdout" | "stderr"): string;
  /** Resolves when the stream has shown this text. */
  shown(stream: "stdout" | "stderr", text: string): Promise<void>;
}

/** What every driver does. Cases that need a capability are skipped by its name where the driver lacks it. */
export function describeDriver(name: string, { make, withoutProcesses, missing = null }: DriverUnderTest): void {
  // Its reason is `missing`, and stands in the name.
  describe.skipIf(missing !== null)(`driver ${name}${missing === null ? "" : ` (${missing})`}`, () => {
    const folder = failOnLeaks({ empty: [HOME], sameName: true });
    let driver: RuntimeDriver;
    let probes: ProbeServer;
    let count = 0;

    beforeEach(async () => {
      await writeCode(folder());
      probes = await ProbeServer.listen(join(folder(), "server/s"));
      driver = await make({ home: join(folder(), HOME), accept: (connection) => probes.accept(connection) });
    });
    afterEach(() => disposeAll([() => driver.dispose(), () => probes.dispose()]));

    const needProcesses = (context: TestContext): void => {
      if (withoutProcesses !== undefined) context.skip(`needs processes: ${withoutProcesses}`);
    };
    const need = <K extends keyof DriverCapabilities>(context: TestContext, capability: K, ...values: readonly DriverCapabilities[K][]): void => {
      const has = driver.info.capabilities[capability];
      if (!values.includes(has)) context.skip(`needs ${capability} ${values.join(" or ")}, has ${String(has)}`);
    };
    /** Processes that the probe told of, as this machine numbers them. */
    const onHost = (container: RunningContainer, pids: readonly number[]): Promise<number[]> => Promise.all(pids.map((pid) => toHostPid(container, pid)));
    const specify = (limits: Partial<ContainerLimits> = {}, env: Record<string, string> = {}): ContainerSpec => ({
      // Unlike those of other suites that run meanwhile: processes are found by it, on all of the machine.
      containerId: `ct_${process.pid}_${++count}`,
      functionName: "probe",
      serverAddress: join(folder(), "server/s"),
      token: `token-${count}`,
      code: { codeId: "code-1", sourceDir: join(folder(), "code"), entry: "index.mjs", nodeModules: [join(folder(), "modules")] },
      env,
      serverUrl: "http://127.0.0.1:8700",
      network: { mode: "host", allow: [] },
      gpus: [],
      limits: { ...LIMITS, ...limits },
    });
    const start = async (limits?: Partial<ContainerLimits>, env?: Record<string, string>): Promise<Started> => {
      const spec = specify(limits, env);
      const record = recordEvents();
      const container = await driver.start(spec, record.events);
      return { spec, container, probe: await probes.probe(spec.containerId), ...record };
    };

    test("a container starts, connects and knows its id and token", async () => {
      const { spec, probe, container } = await start();
      expect(probe.hello).toMatchObject({ containerId: spec.containerId, token: spec.token });
      // In a pid namespace of its own it goes by another number.
      if (withoutProcesses === undefined) expect(await toHostPid(container, probe.hello.pid)).toBe(container.pid);
      else expect(probe.hello.pid).toBe(container.pid);
    });

    test("what it writes is pushed, by stream", async () => {
      const { probe, shown, output } = await start();
      await probe.order("print", "stdout", "to out\n");
      await probe.order("print", "stderr", "to err\n");
      await shown("stdout", "to out\n");
      await shown("stderr", "to err\n");
      expect(output("stdout")).toBe("to out\n");
    });

    test("a large output arrives whole, before the exit is told", async (context) => {
      needProcesses(context);
      const { probe, exit, output } = await start();
      const text = `${"0123456789".repeat(100_000)}\n`;
      await probe.order("print", "stdout", text);
      probe.order("exit", 0).catch(() => {});
      await exit;
      expect(output("stdout") === text).toBe(true);
    });

    test("programs may open standard output and error by their names", async (context) => {
      needProcesses(context);
      const { probe, exit, output } = await start();
      await probe.order("write", "/dev/stdout", "to out\n");
      await probe.order("write", "/dev/stderr", "to err\n");
      probe.order("exit", 0).catch(() => {});
      await exit;
      expect([output("stdout"), output("stderr")]).toEqual(["to out\n", "to err\n"]);
    });

    test("last words are pushed before the exit is told", async () => {
      const { probe, exit, output } = await start();
      await probe.order("print", "stderr", "last words\n");
      probe.order("exit", 3).catch(() => {});
      expect(await exit).toEqual({ kind: "exit", code: 3, signal: null });
      expect(output("stderr")).toBe("last words\n");
    });

    test("what a process wrote right before it was killed is pushed before its end is told", async (context) => {
      needProcesses(context);
      const text = "x".repeat(50_000);
      // Several at once, so that an end that overtakes the output is seen.
      const told = await Promise.all(
        Array.from({ length: 5 }, async () => {
          const { probe, exit, output } = await start();
          probe.order("writeAndDie", text).catch(() => {});
          expect(await exit).toMatchObject({ kind: "signal", signal: "SIGKILL" });
          return output("stderr").length;
        }),
      );
      expect(told).toEqual(told.map(() => text.length));
    });

    test("an exit is told once, with its code", async () => {
      const { probe, exit, exits, container } = await start();
      probe.order("exit", 0).catch(() => {});
      expect(await exit).toEqual({ kind: "exit", code: 0, signal: null });
      await container.kill();
      expect(exits).toHaveLength(1);
    });

    test("an end by signal is told with its name", async (context) => {
      needProcesses(context);
      const { probe, exit } = await start();
      probe.order("raise", "SIGSEGV").catch(() => {});
      expect(await exit).toEqual({ kind: "signal", code: null, signal: "SIGSEGV" });
    });

    test("a SIGKILL from elsewhere is a signal, not a want of memory", async (context) => {
      needProcesses(context);
      const { probe, exit, container } = await start();
      probe.order("raise", "SIGKILL").catch(() => {});
      expect(await exit).toEqual({ kind: "signal", code: null, signal: "SIGKILL" });
      expect(await container.tookOom()).toBe(false);
    });

    test("terminate lets the main process stop by itself", async () => {
      const { container, exit, output } = await start();
      await container.terminate();
      expect(await exit).toEqual({ kind: "exit", code: 0, signal: null });
      expect(output("stdout")).toBe("terminating\n");
      await container.terminate();
    });

    test("kill ends what ignores SIGTERM, and tells the exit before it resolves", async (context) => {
      needProcesses(context);
      const { container, probe, exits } = await start();
      await probe.order("ignoreTerm");
      await container.terminate();
      await container.kill();
      expect(exits).toEqual([{ kind: "signal", code: null, signal: "SIGKILL" }]);
      expect(await isRunning(container.pid!)).toBe(false);
    });

    test("kill may be called twice, at once and after the end", async () => {
      const { container, exits, probe } = await start();
      await Promise.all([container.kill(), container.kill()]);
      await container.kill();
      await probe.closed;
      expect(exits).toHaveLength(1);
      expect(await container.stats()).toEqual({ memoryBytes: 0, cpuMs: 0, processes: 0 });
    });

    test("kill ends children, children in sessions of their own, and orphans among these", async (context) => {
      needProcesses(context);
      need(context, "killTree", true);
      const { container, probe } = await start();
      const pids = await onHost(container, [
        await probe.order<number>("child", false),
        await probe.order<number>("child", true),
        await probe.order<number>("orphan"),
      ]);
      expect(await Promise.all(pids.map(isRunning))).toEqual([true, true, true]);
      await container.kill();
      expect(await Promise.all(pids.map(isRunning))).toEqual([false, false, false]);
    });

    test("what outlives the main process is there until kill, which ends it", async (context) => {
      needProcesses(context);
      need(context, "killTree", true);
      const { container, probe, exit } = await start();
      const pids = await onHost(container, [
        await probe.order<number>("child", false),
        await probe.order<number>("child", true),
        await probe.order<number>("orphan"),
      ]);
      probe.order("exit", 0).catch(() => {});
      await exit;
      expect(await Promise.all(pids.map(isRunning))).toEqual([true, true, true]);
      await container.kill();
      expect(await Promise.all(pids.map(isRunning))).toEqual([false, false, false]);
    });

    test("killProcess ends one process of the container and nothing else", async (context) => {
      needProcesses(context);
      const { container, probe } = await start();
      const [one, two] = [await probe.order<number>("child", false), await probe.order<number>("child", false)];
      await container.killProcess(one);
      await container.killProcess(process.pid);
      await probe.order("childEnded", one);
      const [hostTwo] = await onHost(container, [two]);
      expect(await isRunning(hostTwo!)).toBe(true);
      expect((await container.stats()).processes).toBe(2);
    });

    test("the code is in the working folder, private and writable, with its modules", async (context) => {
      needProcesses(context);
      const [one, two] = [await start(), await start()];
      expect(await one.probe.order<string[]>("list")).toEqual(expect.arrayContaining(["index.mjs", "data/words.txt", "node_modules"]));
      expect(await one.probe.order("read", "data/words.txt")).toBe("one two");
      expect(await one.probe.order("read", "node_modules/leaf/index.js")).toBe("export default 1;\n");
      await one.probe.order("write", "data/words.txt", "changed");
      await one.probe.order("write", "new.txt", "new");
      expect(await two.probe.order("read", "data/words.txt")).toBe("one two");
      expect(await two.probe.order<string[]>("list")).not.toContain("new.txt");
      const { cwd } = await one.probe.order<{ cwd: string }>("place");
      expect(one.container.codePath).toBe(cwd);
    });

    test("the environment is the driver's few variables and the user's, nothing inherited", async (context) => {
      needProcesses(context);
      process.env["SAMOVAR_TEST_INHERITED"] = "1";
      const { probe, spec } = await start({}, { GREETING: "hello", SAMOVAR_TOKEN: "forged" });
      delete process.env["SAMOVAR_TEST_INHERITED"];
      const { env } = await probe.order<{ env: Record<string, string> }>("place");
      expect(Object.keys(env).sort()).toEqual([
        "GREETING",
        "HOME",
        "LANG",
        "PATH",
        "SAMOVAR_CONTAINER_ID",
        "SAMOVAR_SERVER",
        "SAMOVAR_TOKEN",
        "SAMOVAR_URL",
        "TMPDIR",
        "TZ",
      ]);
      expect(env).toMatchObject({ GREETING: "hello", LANG: "C.UTF-8", TZ: "UTC", SAMOVAR_TOKEN: spec.token });
      await probe.order("write", `${env["TMPDIR"]}/t`, "");
      await probe.order("write", `${env["HOME"]}/h`, "");
    });

    test("memory beyond the limit ends the container, told as oom", async (context) => {
      needProcesses(context);
      need(context, "memoryLimit", "enforced", "watched");
      const { container, probe, exit } = await start({ memoryMib: 128 });
      probe.order("fill", TOO_MUCH_MIB).catch(() => {});
      expect(await exit).toMatchObject({ kind: "oom" });
      expect(await container.tookOom()).toBe(true);
      expect(await container.tookOom()).toBe(false);
      await container.kill();
      expect(await container.tookOom()).toBe(false);
    });

    test.for([128, 256, 512])("a JavaScript heap that grows without end is told as oom: %i MiB", async (memoryMib, context) => {
      needProcesses(context);
      need(context, "memoryLimit", "enforced", "watched");
      const { container, probe, exit } = await start({ memoryMib });
      probe.order("fillHeap").catch(() => {});
      expect(await exit).toMatchObject({ kind: "oom" });
      expect(await container.tookOom()).toBe(true);
    });

    test("a child that takes too much memory ends alone, and tookOom says so", async (context) => {
      needProcesses(context);
      need(context, "memoryLimit", "enforced", "watched");
      const { container, probe, exits } = await start({ memoryMib: 128 });
      expect(await probe.order("fillInChild", TOO_MUCH_MIB)).toEqual({ code: null, signal: "SIGKILL" });
      expect(await container.tookOom()).toBe(true);
      await probe.order("print", "stdout", "alive");
      expect(exits).toEqual([]);
    });

    test("no more processes and threads than the limit says", async (context) => {
      needProcesses(context);
      need(context, "processLimit", "enforced");
      const { probe } = await start({ maxProcesses: 40 });
      const started = await probe.order<number>("children", 60);
      expect(started).toBeGreaterThan(0);
      expect(started).toBeLessThan(40);
    });

    test("no more processor time than the limit says", async (context) => {
      needProcesses(context);
      need(context, "cpuLimit", "enforced");
      const { probe } = await start({ cpuMillis: 200 });
      expect(await probe.order<number>("compute", 1_000)).toBeLessThan(600);
    });

    test("a full disk is full for its container alone, in all that it may write to", async (context) => {
      needProcesses(context);
      need(context, "diskLimit", "enforced");
      const [one, two] = [await start({ diskMib: 64 }), await start({ diskMib: 64 })];
      const { env } = await one.probe.order<{ env: Record<string, string> }>("place");
      const written = await one.probe.order<number>("writeUntilFull", "filler");
      expect(written).toBeGreaterThan(48);
      expect(written).toBeLessThanOrEqual(64);
      for (const folder of [env["TMPDIR"]!, env["HOME"]!, "/var"])
        await expect(one.probe.order("write", `${folder}/more`, "x".repeat(1 << 20))).rejects.toThrow(/ENOSPC/);
      await two.probe.order("write", "more", "x".repeat(1 << 20));
    });

    test("stats tell memory, processor time and processes of the whole tree", async (context) => {
      needProcesses(context);
      const { container, probe } = await start();
      const before = await container.stats();
      await probe.order("fill", 64);
      await probe.order("child", true);
      await probe.order("compute", 100);
      const after = await container.stats();
      expect(after.memoryBytes - before.memoryBytes).toBeGreaterThan(50 * 1024 * 1024);
      expect(after.cpuMs).toBeGreaterThan(before.cpuMs);
      expect(after.processes).toBe(before.processes + 1);
    });

    const ends: Record<string, (started: Started) => Promise<unknown>> = {
      "its own exit": ({ probe, exit }) => (probe.order("exit", 1).catch(() => {}), exit),
      terminate: ({ container, exit }) => container.terminate().then(() => exit),
      kill: ({ container }) => container.kill(),
    };
    test.for(Object.keys(ends))("nothing is left after %s and kill", async (how) => {
      const started = await start();
      await ends[how]!(started);
      await started.container.kill();
      expect((await findLeaks({ folder: join(folder(), HOME), empty: ["."] })).filter((leak) => leak.includes(started.spec.containerId))).toEqual([]);
    });

    test("a start that fails leaves nothing behind, and its id may be used again", async (context) => {
      needProcesses(context);
      const spec = specify();
      const { events, exits } = recordEvents();
      const failing = driver.start({ ...spec, code: { ...spec.code, codeId: "missing", sourceDir: join(folder(), "missing") } }, events);
      await expect(failing).rejects.toMatchObject({ code: "storage_failed" });
      expect(await findLeaks({ folder: join(folder(), HOME), empty: ["."] })).not.toEqual(expect.arrayContaining([expect.stringContaining(spec.containerId)]));
      expect(exits.length).toBeLessThanOrEqual(1);
      await driver.start(spec, recordEvents().events);
    });

    test("two containers with one id can't be", async () => {
      const { spec } = await start();
      await expect(driver.start(spec, recordEvents().events)).rejects.toMatchObject({ code: "internal" });
    });

    test("what no earlier server left is not found, and where none can be left it is said", async () => {
      const { token: _, ...spec } = specify();
      const code = driver.info.capabilities.takeBack ? "not_found" : "unsupported";
      await expect(driver.takeBack(spec, recordEvents().events)).rejects.toMatchObject({ code });
      // Its id is free all the same.
      await driver.start({ ...spec, token: "token" }, recordEvents().events);
    });

    test("many containers start and end at once", async () => {
      const started = await Promise.all(Array.from({ length: 6 }, () => start()));
      expect(new Set(started.map(({ container }) => container.pid)).size).toBe(6);
      await Promise.all(started.map(({ container }) => container.kill()));
      expect(started.map(({ exits }) => exits.length)).toEqual([1, 1, 1, 1, 1, 1]);
    });

    describeExec({ driver: () => driver, start: async (env) => (await start({}, env)).container });

    test("dispose ends all, refuses new starts and ends those on their way", async () => {
      const { probe, exits } = await start();
      const late = driver.start(specify(), recordEvents().events);
      await Promise.all([driver.dispose(), late.catch(() => {})]);
      await probe.closed;
      expect(exits).toHaveLength(1);
      await expect(driver.start(specify(), recordEvents().events)).rejects.toMatchObject({ code: "shutting_down" });
      await driver.dispose();
    });
  });
}

function recordEvents(): Pick<Started, "exit" | "exits" | "output" | "shown"> & {
  events: { output(stream: "stdout" | "stderr", chunk: Buffer): void; mainExited(exit: ExitStatus): void };
} {
  const text = { stdout: "", stderr: "" };
  const exits: ExitStatus[] = [];
  const waiting: (() => void)[] = [];
  const { promise: exit, resolve } = Promise.withResolvers<ExitStatus>();
  return {
    exit,
    exits,
    output: (stream) => text[stream],
    async shown(stream, wanted) {
      while (!text[stream].includes(wanted)) await new Promise<void>((wake) => waiting.push(wake));
    },
    events: {
      output(stream, chunk) {
        text[stream] += chunk.toString();
        for (const wake of waiting.splice(0)) wake();
      },
      mainExited(status) {
        exits.push(status);
        resolve(status);
      },
    },
  };
}

async function writeCode(folder: string): Promise<void> {
  await mkdir(join(folder, "code", "data"), { recursive: true });
  await mkdir(join(folder, "modules", "leaf"), { recursive: true });
  await Promise.all([
    writeFile(join(folder, "code", "index.mjs"), "export {};\n"),
    writeFile(join(folder, "code", "data", "words.txt"), "one two"),
    writeFile(join(folder, "modules", "leaf", "index.js"), "export default 1;\n"),
  ]);
}
