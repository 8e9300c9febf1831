import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { FakeClock, silentLogger, type Logger } from "@samovar/kit";
import type { ExitStatus } from "@samovar/protocol";
import type { ContainerEvents, ContainerSpec, RunningContainer, RuntimeDriver } from "@samovar/runtime";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { needDebianPackage } from "./debian-packages.ts";
import { writeProbe } from "./driver-probe.ts";
import { toHostPid } from "./host-pids.ts";
import { failOnLeaks, findProcesses, isRunning } from "./leak-check.ts";
import { ProbeServer, type Probe } from "./probe-server.ts";
import { makeDriver, type ServerOrders } from "./take-back.fixture.ts";

const FIXTURE = fileURLToPath(new URL("./take-back.fixture.ts", import.meta.url));
const HOME = "containers";
/** Each case has servers of its own, and the first one of each runtime tries the machine for all. */
const verdicts = await mkdtemp(join(tmpdir(), "samovar-test-verdicts-"));
afterAll(() => rm(verdicts, { recursive: true, maxRetries: 5 }));

interface Variant {
  readonly name: string;
  readonly kind: ServerOrders["kind"];
  readonly options: Partial<ServerOrders["options"]>;
  readonly missing: string | null;
}

const VARIANTS: readonly Variant[] = [
  { name: "process, control groups auto", kind: "process", options: {}, missing: null },
  { name: "process, control groups off", kind: "process", options: { cgroups: "off" }, missing: null },
  { name: "oci, crun", kind: "oci", options: { runtimes: ["crun"], verdictFile: join(verdicts, "crun.json") }, missing: await needDebianPackage("crun") },
  { name: "oci, runc", kind: "oci", options: { runtimes: ["runc"], verdictFile: join(verdicts, "runc.json") }, missing: await needDebianPackage("runc") },
];

interface Taken {
  readonly container: RunningContainer;
  readonly exits: readonly ExitStatus[];
  readonly exit: Promise<ExitStatus>;
  /** Resolves when the stream has shown this text. */
  shown(stream: "stdout" | "stderr", wanted: string): Promise<void>;
}

for (const { name, kind, options, missing } of VARIANTS) {
  // Its reason stands in the name.
  describe.skipIf(missing !== null || process.platform !== "linux")(
    `a driver that takes back what a killed server left: ${name}${missing === null ? "" : ` (${missing})`}`,
    () => {
      const serverPids: number[] = [];
      const folder = failOnLeaks({ empty: [HOME], serverPids: () => serverPids, sameName: true });
      let probes: ProbeServer;
      let orders: Pick<ServerOrders, "kind" | "options">;
      let driver: RuntimeDriver | null;
      let count = 0;

      beforeEach(async () => {
        driver = null;
        probes = await ProbeServer.listen(join(folder(), "server/s"));
        const runnerFile = await writeProbe(folder());
        orders = { kind, options: { home: join(folder(), HOME), nodePath: process.execPath, runnerFile, ...options } };
      });
      afterEach(async () => {
        await driver?.dispose();
        await probes.dispose();
      });

      const specify = (limits: Partial<ContainerSpec["limits"]> = {}): ContainerSpec => ({
        containerId: `ct_back_${process.pid}_${++count}`,
        functionName: "probe",
        serverAddress: join(folder(), "server/s"),
        token: `token-${count}`,
        code: { codeId: "code-1", sourceDir: import.meta.dirname, entry: "index.ts", nodeModules: [] },
        env: { GREETING: "hello there" },
        serverUrl: "http://127.0.0.1:8700",
        network: { mode: "host", allow: [] },
        gpus: [],
        limits: { cpuMillis: 1_000, memoryMib: 256, maxProcesses: 64, diskMib: 64, workers: 1, ...limits },
      });
      /** A server does this and is killed. */
      const killServer = async (what: Partial<Pick<ServerOrders, "start" | "takeBack">>): Promise<void> => {
        const argv = JSON.stringify({ ...orders, start: [], takeBack: [], ...what });
        const server = spawn(process.execPath, ["--conditions=samovar-source", FIXTURE, argv], { stdio: ["ignore", "pipe", "inherit"] });
        serverPids.push(server.pid!);
        const exited = once(server, "exit");
        await Promise.race([once(server.stdout, "data"), exited.then(() => Promise.reject(new Error("The server has ended")))]);
        server.kill("SIGKILL");
        await exited;
      };
      const startAndKill = async (...specs: ContainerSpec[]): Promise<Probe[]> => {
        await killServer({ start: specs });
        return Promise.all(specs.map(({ containerId }) => probes.probe(containerId)));
      };
      const takeBack = async (spec: ContainerSpec): Promise<Taken> => {
        const { events, ...seen } = recordEvents();
        const { token: _, ...known } = spec;
        return { container: await driver!.takeBack(known, events), ...seen };
      };

      test("it serves on, is measured and its programs are run, and kill leaves nothing of it, while another one lives", async () => {
        const [spec, other] = [specify(), specify()];
        const [probe, otherProbe] = (await startAndKill(spec, other)) as [Probe, Probe];
        driver = await makeDriver(orders);
        const { container, exits, shown } = await takeBack(spec);
        const { container: second } = await takeBack(other);
        await probe.order("print", "stdout", "to out\n");
        await probe.order("print", "stderr", "to err\n");
        await Promise.all([shown("stdout", "to out\n"), shown("stderr", "to err\n")]);
        expect(await toHostPid(container, probe.hello.pid)).toBe(container.pid);

        const [child, orphan] = [await probe.order<number>("child", true), await probe.order<number>("orphan")];
        const hosts = await Promise.all([child, orphan].map((pid) => toHostPid(container, pid)));
        const before = await container.stats();
        expect(before).toMatchObject({ processes: 3 });
        expect(before.memoryBytes).toBeGreaterThan(1024 * 1024);
        await container.killProcess(child);
        await container.killProcess(process.pid);
        await probe.order("childEnded", child);
        expect((await container.stats()).processes).toBe(2);
        expect(await isRunning(hosts[1]!)).toBe(true);

        const { cwd } = await probe.order<{ cwd: string }>("place");
        expect(container.codePath).toBe(cwd);
        expect(await readdir(container.codeDir)).toContain("take-back.test.ts");
        const script = `pwd; echo "$GREETING $SAMOVAR_CONTAINER_ID"; echo to err >&2; echo written > from-exec; ls /etc | wc -l; exit 3`;
        const exec = await container.exec({ argv: ["sh", "-c", script], env: {}, cwd: null, terminal: null });
        const [out, err] = await Promise.all([text(exec.stdout), text(exec.stderr!)]);
        expect(out.split("\n").slice(0, 2)).toEqual([cwd, `hello there ${spec.containerId}`]);
        // The root that all share stays as long as they do.
        expect(Number(out.split("\n")[2])).toBeGreaterThan(5);
        expect(err).toBe("to err\n");
        expect(await exec.exited).toEqual({ kind: "exit", code: 3, signal: null });
        expect(await probe.order("read", "from-exec")).toBe("written\n");
        // Of those that run it, too.
        const stays = await container.exec({ argv: ["sleep", "600"], env: {}, cwd: null, terminal: null });
        for (const output of [stays.stdout, stays.stderr!]) output.resume();

        await container.kill();
        await Promise.all([probe.closed, stays.exited]);
        expect(exits).toEqual([expect.objectContaining({ signal: "SIGKILL" })]);
        expect(await Promise.all(hosts.map(isRunning))).toEqual([false, false]);
        expect(await findProcesses(join(folder(), HOME, spec.containerId))).toEqual([]);
        expect(await readdir(join(folder(), HOME))).not.toContain(spec.containerId);
        expect(await loopFiles()).not.toEqual(expect.arrayContaining([expect.stringContaining(spec.containerId)]));
        expect(await container.stats()).toEqual({ memoryBytes: 0, cpuMs: 0, processes: 0 });
        await container.kill();
        await otherProbe.order("write", "still", "here");
        expect(await otherProbe.order("sh", "ls /etc | wc -l")).toMatchObject({ status: 0 });
        await second.kill();
      });

      test("what is not taken back is cleared, and what is taken back stays", async () => {
        const [spec, left] = [specify(), specify()];
        const [probe, leftProbe] = (await startAndKill(spec, left)) as [Probe, Probe];
        const { clock, logger, look } = clockAndLooks();
        driver = await makeDriver(orders, { clock, logger });
        const { container, exits } = await takeBack(spec);
        for (const byMs of [11_000, 34_000, 75_000]) await look(byMs);
        await leftProbe.closed;
        expect(await readdir(join(folder(), HOME))).not.toContain(left.containerId);
        await probe.order("write", "still", "here");
        expect(exits).toEqual([]);
        await expect(takeBack(left)).rejects.toMatchObject({ code: "not_found" });
        await container.kill();
      });

      test("one that nobody started, or whose main process has ended, is not found", async () => {
        const spec = specify();
        const [probe] = await startAndKill(spec);
        probe!.order("exit", 0).catch(() => {});
        await probe!.closed;
        driver = await makeDriver(orders);
        for (const gone of [spec, specify()]) await expect(takeBack(gone)).rejects.toMatchObject({ code: "not_found" });
        // Its id may be used again.
        await driver.start({ ...spec, containerId: `${spec.containerId}_again` }, recordEvents().events);
      });

      test("output without a reader ends nobody, and is shown by the server that comes", async () => {
        const spec = specify();
        const [probe] = await startAndKill(spec);
        expect(await probe!.order("writeOn", 100)).toEqual({ code: 0, signal: null });
        // More than pipes hold.
        const waiting = probe!.order("writeOn", 20_000);
        driver = await makeDriver(orders);
        expect(await waiting).toEqual({ code: 0, signal: null });
        const { shown, container } = await takeBack(spec);
        await Promise.all([shown("stdout", "line 19999\n"), shown("stderr", "line 19999\n")]);
        await container.kill();
      });

      test("the end of its main process is told without being asked for", async () => {
        const spec = specify();
        const [probe] = await startAndKill(spec);
        driver = await makeDriver(orders);
        const { container, exit, exits } = await takeBack(spec);
        await probe!.order("child", false);
        probe!.order("exit", 3).catch(() => {});
        // The oci driver's own first process tells how; of another's child nobody knows.
        expect(await exit).toEqual(kind === "oci" ? { kind: "exit", code: 3, signal: null } : { kind: "lost", code: null, signal: null });
        await container.kill();
        expect(exits).toHaveLength(1);
      });

      test("terminate lets it stop by itself", async () => {
        const spec = specify();
        await startAndKill(spec);
        driver = await makeDriver(orders);
        const { container, exit, shown } = await takeBack(spec);
        await container.terminate();
        await shown("stdout", "terminating\n");
        expect(await exit).toEqual(kind === "oci" ? { kind: "exit", code: 0, signal: null } : { kind: "lost", code: null, signal: null });
        await container.terminate();
        await container.kill();
      });

      test("its memory limit is held on", async () => {
        const spec = specify({ memoryMib: 128 });
        const [probe] = await startAndKill(spec);
        driver = await makeDriver(orders);
        const { container } = await takeBack(spec);
        expect(await container.tookOom()).toBe(false);
        expect(await probe!.order("fillInChild", 600)).toEqual({ code: null, signal: "SIGKILL" });
        expect(await container.tookOom()).toBe(true);
        expect(await container.tookOom()).toBe(false);
        await container.kill();
      });

      test("it reaches the next server at the address of the one that died", async () => {
        const spec = specify();
        const [probe] = await startAndKill(spec);
        driver = await makeDriver(orders);
        const next = await ProbeServer.listen(spec.serverAddress);
        // Others on the way to it are kept out by the folder that all stands in.
        if (kind === "oci") await (await import("node:fs/promises")).chmod(spec.serverAddress, 0o666);
        await probe!.order("dial");
        const again = await next.probe(spec.containerId);
        expect(again.hello).toEqual(probe!.hello);
        const { container } = await takeBack(spec);
        expect(await again.order("read", "index.ts")).toContain("export");
        await container.kill();
        await next.dispose();
      });

      test("the next server but one takes it back as well, beside those of the next one", async () => {
        const [first, second] = [specify(), specify()];
        const [probe] = await startAndKill(first);
        await killServer({ takeBack: [first], start: [second] });
        const probed = await probes.probe(second.containerId);
        driver = await makeDriver(orders);
        for (const [spec, its] of [
          [first, probe!],
          [second, probed],
        ] as const) {
          const { container, shown } = await takeBack(spec);
          await its.order("print", "stdout", "here\n");
          await shown("stdout", "here\n");
          expect(await container.stats()).toMatchObject({ processes: 1 });
          await container.kill();
          await its.closed;
        }
      });

      test("an isolated one has its name server again, and its network goes with it", async (context) => {
        driver = await makeDriver(orders);
        const { networkModes } = driver.info.capabilities;
        await driver.dispose();
        if (!networkModes.includes("isolated")) context.skip(`needs networkModes isolated, has ${networkModes.join(" ")}`);
        const spec: ContainerSpec = { ...specify(), network: { mode: "isolated", allow: ["*.allowed.example"] } };
        const [probe] = await startAndKill(spec);
        const ask = async (): Promise<unknown> =>
          probe!.order(
            "sh",
            `node -e 'new (require("dns").Resolver)({ tries: 1, timeout: 2000 }).resolve4("other.example", (error) => console.log(error.code))'`,
          );
        const networks = join(folder(), HOME, ".network");
        const [instance] = (await readdir(networks)).filter((entry) => entry.startsWith("smv"));
        expect(await ask()).toEqual({ status: 0, out: "ECONNREFUSED\n" });
        driver = await makeDriver(orders);
        const { container } = await takeBack(spec);
        // An answer, though no: the allow list doesn't have it.
        expect(await ask()).toEqual({ status: 0, out: "EREFUSED\n" });
        await container.kill();
        expect(await readdir(networks)).toEqual(["no-names.resolv.conf"]);
        const links = await text(spawn("ip", ["-br", "link"], { stdio: ["ignore", "pipe", "inherit"] }).stdout);
        expect(links).not.toContain(instance);
      });

      test("dispose clears what has ended by itself since it was last looked for", async () => {
        const [ended, taken] = [specify(), specify()];
        const [probe] = (await startAndKill(ended, taken)) as [Probe, Probe];
        driver = await makeDriver(orders);
        await takeBack(taken);
        // Held by its processes until the last of them is over.
        const life = createReadStream(join(folder(), HOME, ended.containerId, "pipes/life")).resume();
        await once(life, "open");
        probe.order("exit", 0).catch(() => {});
        await once(life, "close");
        await driver.dispose();
        // Control groups and the rest are looked for after each test.
        expect(await readdir(join(folder(), HOME))).toEqual([]);
      });

      test("a server that has ended is gone also where nobody reaps it: no group of it stays", async () => {
        const spec = specify();
        const argv = JSON.stringify({ ...orders, start: [spec], takeBack: [] });
        // Its parent becomes a program that never asks for its children.
        const script = `"$@" & echo $! && exec sleep 600 > /dev/null`;
        const parent = spawn("sh", ["-c", script, "sh", process.execPath, "--conditions=samovar-source", FIXTURE, argv], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        const parentEnded = once(parent, "exit");
        const lines = createInterface({ input: parent.stdout })[Symbol.asyncIterator]();
        const pid = Number((await lines.next()).value);
        serverPids.push(pid);
        expect((await lines.next()).value).toBe("ready");
        process.kill(pid, "SIGKILL");
        expect((await lines.next()).done).toBe(true);
        driver = await makeDriver(orders);
        await takeBack(spec);
        await driver.dispose();
        expect(await isRunning(pid)).toBe(false);
        expect(() => process.kill(pid, 0)).not.toThrow();
        parent.kill();
        await parentEnded;
      });

      test("dispose ends what was taken back", async () => {
        const spec = specify();
        const [probe] = await startAndKill(spec);
        driver = await makeDriver(orders);
        const { exits } = await takeBack(spec);
        await expect(driver.start(spec, recordEvents().events)).rejects.toMatchObject({ code: "internal" });
        await driver.dispose();
        await probe!.closed;
        expect(exits).toHaveLength(1);
      });
    },
  );
}

function recordEvents(): Pick<Taken, "exits" | "exit" | "shown"> & { readonly events: ContainerEvents } {
  const written = { stdout: "", stderr: "" };
  const exits: ExitStatus[] = [];
  const waiting: (() => void)[] = [];
  const { promise: exit, resolve } = Promise.withResolvers<ExitStatus>();
  return {
    exits,
    exit,
    async shown(stream, wanted) {
      while (!written[stream].includes(wanted)) await new Promise<void>((wake) => waiting.push(wake));
    },
    events: {
      output(stream, chunk) {
        written[stream] += chunk.toString();
        for (const wake of waiting.splice(0)) wake();
      },
      mainExited(status) {
        exits.push(status);
        resolve(status);
      },
    },
  };
}

/** Files that stand behind block devices. */
async function loopFiles(): Promise<string[]> {
  const devices = (await readdir("/sys/block")).filter((device) => device.startsWith("loop"));
  return Promise.all(devices.map((device) => readFile(`/sys/block/${device}/loop/backing_file`, "utf8").catch(() => "")));
}

/** A clock that moves on demand, and the end of each look for leftovers. */
function clockAndLooks(): { clock: FakeClock; logger: Logger; look(byMs: number): Promise<void> } {
  const clock = new FakeClock();
  let wake: () => void = () => {};
  return {
    clock,
    logger: { ...silentLogger, info: () => wake() },
    look: (byMs) =>
      new Promise<void>((resolve) => {
        wake = resolve;
        clock.advance(byMs);
      }),
  };
}
