import { detectCgroups, plannedControllers } from "@samovar/runtime";
import { asRoot, missing, ok, type Finding } from "./finding.ts";
import type { Machine } from "./machine.ts";

/** Programs that make containers; one that works is enough, and which one the driver finds out by trying. */
export async function checkRuntimes(machine: Pick<Machine, "uid" | "run">): Promise<Finding> {
  const title = "Container runtimes";
  const found: string[] = [];
  for (const name of ["crun", "runc"]) {
    const outcome = await machine.run(name, ["--version"]);
    const version = outcome && /version:? v?(\S+)/.exec(outcome.output)?.[1];
    if (outcome) found.push(outcome.ok && version ? `${name} ${version}` : `${name} that does not answer`);
  }
  return found.length > 0 ? ok(title, found.join(", ")) : missing(title, "Neither crun nor runc is installed", asRoot(machine.uid, "apt-get install crun"));
}

/** With one, root in a container is nobody on the machine; without root, there are no containers without. */
export async function checkUserNamespaces(machine: Pick<Machine, "platform" | "uid" | "read" | "run">): Promise<Finding | null> {
  if (machine.platform !== "linux") return null;
  const title = "User namespaces";
  const tried = await machine.run("unshare", ["--user", "--map-root-user", "true"]);
  if (tried?.ok) return ok(title, "can be made");
  const read = async (path: string): Promise<string | undefined> => (await machine.read(path))?.trim();
  if ((await read("/proc/sys/user/max_user_namespaces")) === "0")
    return missing(title, "The kernel allows none", asRoot(machine.uid, "sysctl -w user.max_user_namespaces=10000"));
  if (machine.uid !== 0) {
    if ((await read("/proc/sys/kernel/unprivileged_userns_clone")) === "0")
      return missing(title, "They are for root only here", asRoot(machine.uid, "sysctl -w kernel.unprivileged_userns_clone=1"));
    if ((await read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")) === "1")
      return missing(title, "AppArmor denies them to ordinary users", asRoot(machine.uid, "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"));
  }
  if (tried === null) return missing(title, "It can't be tried: unshare is not installed", asRoot(machine.uid, "apt-get install util-linux"));
  return missing(title, `They can't be made here: ${tried.output.split("\n")[0] ?? ""}`, "Run the server as root, outside of other containers");
}

/** What holds limits of memory, processors and processes. */
export async function checkCgroups(machine: Pick<Machine, "platform" | "uid" | "read" | "writable">): Promise<readonly Finding[]> {
  if (machine.platform !== "linux") return [];
  const title = "Control groups";
  const plan = await detectCgroups(machine);
  const held = plannedControllers(plan);
  const lacking = (["memory", "cpu", "pids"] as const).filter((name) => !held.has(name));
  const layout = plan.layout === "none" ? "none that may be used" : plan.layout;
  const way = machine.uid === 0 ? "mount -o remount,rw /sys/fs/cgroup" : "systemd-run --user --scope -p Delegate=yes samovar up";
  const finding =
    lacking.length === 0
      ? ok(title, `${layout}, with limits of memory, cpu and processes`)
      : missing(title, `${layout}: limits of ${lacking.join(", ")} are not held by the kernel`, way);
  const slow = await checkFavoredMoves(machine);
  return slow ? [finding, slow] : [finding];
}

/** Kernels since 6.0 can move processes between groups without waiting; it is off by default, and for the machine's owner to choose. */
async function checkFavoredMoves(machine: Pick<Machine, "uid" | "read">): Promise<Finding | null> {
  const mount = ((await machine.read("/proc/self/mountinfo")) ?? "").split("\n").find((line) => / - cgroup2 /.test(line));
  if (mount === undefined) return null;
  const title = "Quick moves between groups";
  if (/favordynmods/.test(mount)) return ok(title, "favordynmods is on");
  const point = mount.split(" ")[4] ?? "/sys/fs/cgroup";
  return missing(
    title,
    "A container's start after a pause waits some 8 ms for the kernel. The option favordynmods spares it, for the whole machine and until it starts anew; it may be on without being shown",
    asRoot(machine.uid, `mount -o remount,favordynmods ${point}`),
  );
}
