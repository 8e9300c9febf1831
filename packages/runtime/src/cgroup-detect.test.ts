import { describe, expect, test } from "vitest";
import { detectCgroups, parseCgroupMounts, type FileView } from "./cgroup-detect.ts";

/** A made-up machine: files with their text; folders and files in `writable` may be written. */
function machine(files: Record<string, string>, writable: readonly string[]): FileView {
  return { read: async (path) => files[path] ?? null, writable: async (path) => writable.includes(path) };
}

const mount = (type: "cgroup" | "cgroup2", point: string, options: string, root = "/"): string =>
  `31 23 0:28 ${root} ${point} rw,nosuid shared:9 - ${type} ${type} rw,${options}`;

describe("v2", () => {
  const own = "/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope";
  const top = "/sys/fs/cgroup";
  const files = {
    "/proc/self/cgroup": `0::${own}\n`,
    "/proc/self/mountinfo": mount("cgroup2", top, "nsdelegate"),
    [`${top}${own}/cgroup.procs`]: "1\n",
    [`${top}${own}/cgroup.type`]: "domain\n",
    [`${top}${own}/cgroup.controllers`]: "cpu memory pids\n",
    [`${top}${own}/cgroup.subtree_control`]: "\n",
  };
  const slice = `${top}/user.slice/user-1000.slice/user@1000.service/app.slice`;

  test("the nearest ancestor that hands on the controllers and may be written is taken", async () => {
    const view = machine({ ...files, [`${slice}/cgroup.type`]: "domain\n", [`${slice}/cgroup.subtree_control`]: "cpu memory pids\n" }, [
      `${top}${own}`,
      `${top}${own}/cgroup.procs`,
      slice,
      `${slice}/cgroup.procs`,
    ]);
    expect(await detectCgroups(view)).toEqual({
      layout: "v2",
      hierarchies: [{ version: 2, mountPoint: top, parentDir: slice, controllers: ["memory", "pids", "cpu"], enable: [] }],
    });
  });

  test("controllers that are not handed on are not promised", async () => {
    const view = machine({ ...files, [`${slice}/cgroup.type`]: "domain\n", [`${slice}/cgroup.subtree_control`]: "memory pids\n" }, [
      slice,
      `${slice}/cgroup.procs`,
    ]);
    expect((await detectCgroups(view)).hierarchies[0]!.controllers).toEqual(["memory", "pids"]);
  });

  test("a group that may be written but hands nothing on still serves to end processes", async () => {
    const view = machine(files, [`${top}${own}`, `${top}${own}/cgroup.procs`]);
    expect((await detectCgroups(view)).hierarchies).toEqual([{ version: 2, mountPoint: top, parentDir: `${top}${own}`, controllers: [], enable: [] }]);
  });

  test("at the true root controllers are handed on by us", async () => {
    const view = machine(
      {
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": mount("cgroup2", top, "rw"),
        [`${top}/cgroup.controllers`]: "cpuset cpu io memory pids\n",
        [`${top}/cgroup.subtree_control`]: "cpu\n",
      },
      [top, `${top}/cgroup.procs`],
    );
    expect((await detectCgroups(view)).hierarchies).toEqual([
      { version: 2, mountPoint: top, parentDir: top, controllers: ["memory", "pids", "cpu"], enable: ["memory", "pids"] },
    ]);
  });

  test("a folder whose cgroup.procs may not be written is of no use: nothing can be moved there", async () => {
    expect(await detectCgroups(machine(files, [`${top}${own}`]))).toEqual({ layout: "none", hierarchies: [] });
  });
});

describe("v1", () => {
  const files = {
    "/proc/self/cgroup": "5:cpu,cpuacct:/jobs/a\n4:memory:/jobs/a\n3:pids:/jobs/a\n1:name=systemd:/\n",
    "/proc/self/mountinfo": [
      mount("cgroup", "/sys/fs/cgroup/cpu,cpuacct", "cpu,cpuacct"),
      mount("cgroup", "/sys/fs/cgroup/memory", "memory"),
      mount("cgroup", "/sys/fs/cgroup/pids", "pids"),
      mount("cgroup", "/sys/fs/cgroup/systemd", "name=systemd"),
    ].join("\n"),
    "/sys/fs/cgroup/cpu,cpuacct/jobs/a/cgroup.procs": "",
    "/sys/fs/cgroup/memory/jobs/a/cgroup.procs": "",
    "/sys/fs/cgroup/pids/jobs/a/cgroup.procs": "",
  };

  test("each controller's tree is used under our own group, memory first", async () => {
    const dirs = ["/sys/fs/cgroup/cpu,cpuacct/jobs/a", "/sys/fs/cgroup/memory/jobs/a", "/sys/fs/cgroup/pids/jobs/a"];
    expect(await detectCgroups(machine(files, dirs))).toEqual({
      layout: "v1",
      hierarchies: [
        { version: 1, mountPoint: "/sys/fs/cgroup/memory", parentDir: dirs[1], controllers: ["memory"], enable: [] },
        { version: 1, mountPoint: "/sys/fs/cgroup/cpu,cpuacct", parentDir: dirs[0], controllers: ["cpu"], enable: [] },
        { version: 1, mountPoint: "/sys/fs/cgroup/pids", parentDir: dirs[2], controllers: ["pids"], enable: [] },
      ],
    });
  });

  test("trees without a controller of use are taken where every one is asked for", async () => {
    const dirs = ["/sys/fs/cgroup/cpu,cpuacct/jobs/a", "/sys/fs/cgroup/memory/jobs/a", "/sys/fs/cgroup/pids/jobs/a", "/sys/fs/cgroup/systemd"];
    const plan = await detectCgroups(machine({ ...files, "/sys/fs/cgroup/systemd/cgroup.procs": "" }, dirs), { every: true });
    expect(plan.hierarchies.map(({ parentDir, controllers }) => [parentDir, controllers])).toContainEqual(["/sys/fs/cgroup/systemd", []]);
  });

  test("trees that may not be written are left out", async () => {
    const plan = await detectCgroups(machine(files, ["/sys/fs/cgroup/pids/jobs/a"]));
    expect(plan.hierarchies.map((hierarchy) => hierarchy.controllers)).toEqual([["pids"]]);
  });

  test("read-only trees, as in a plain container, are no control groups", async () => {
    expect(await detectCgroups(machine(files, []))).toEqual({ layout: "none", hierarchies: [] });
  });

  test("a mount that shows only a part is read relative to that part", async () => {
    const view = machine(
      {
        "/proc/self/cgroup": "4:memory:/docker/abc/inner\n",
        "/proc/self/mountinfo": mount("cgroup", "/sys/fs/cgroup/memory", "memory", "/docker/abc"),
        "/sys/fs/cgroup/memory/inner/cgroup.procs": "",
      },
      ["/sys/fs/cgroup/memory/inner"],
    );
    expect((await detectCgroups(view)).hierarchies[0]!.parentDir).toBe("/sys/fs/cgroup/memory/inner");
  });

  test("a group outside of what is mounted is replaced by the mount's root", async () => {
    const view = machine(
      {
        "/proc/self/cgroup": "4:memory:/../other\n",
        "/proc/self/mountinfo": mount("cgroup", "/sys/fs/cgroup/memory", "memory"),
        "/sys/fs/cgroup/memory/cgroup.procs": "",
      },
      ["/sys/fs/cgroup/memory"],
    );
    expect((await detectCgroups(view)).hierarchies[0]!.parentDir).toBe("/sys/fs/cgroup/memory");
  });
});

test("hybrid: limits in the v1 trees, the v2 tree beside them to end a group at once", async () => {
  const view = machine(
    {
      "/proc/self/cgroup": "4:memory:/\n0::/\n",
      "/proc/self/mountinfo": [mount("cgroup", "/sys/fs/cgroup/memory", "memory"), mount("cgroup2", "/sys/fs/cgroup/unified", "rw")].join("\n"),
      "/sys/fs/cgroup/memory/cgroup.procs": "",
      "/sys/fs/cgroup/unified/cgroup.controllers": "hugetlb\n",
    },
    ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/cgroup.procs"],
  );
  expect(await detectCgroups(view)).toEqual({
    layout: "hybrid",
    hierarchies: [
      { version: 1, mountPoint: "/sys/fs/cgroup/memory", parentDir: "/sys/fs/cgroup/memory", controllers: ["memory"], enable: [] },
      { version: 2, mountPoint: "/sys/fs/cgroup/unified", parentDir: "/sys/fs/cgroup/unified", controllers: [], enable: [] },
    ],
  });
});

test("a machine without /proc has none", async () => {
  expect(await detectCgroups(machine({}, []))).toEqual({ layout: "none", hierarchies: [] });
});

test("mount points with spaces are read as they are", () => {
  expect(parseCgroupMounts(mount("cgroup2", "/mnt/c\\040g", "rw"))[0]!.mountPoint).toBe("/mnt/c g");
});
