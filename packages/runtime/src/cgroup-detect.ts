/**
 * Which control groups this process may use for its containers: a function of what the file system shows and
 * nothing else, so that every layout can be tried with a made-up tree.
 *
 * Three layouts exist. `v2`: one tree with all controllers. `v1`: one tree per controller. `hybrid`: v1 trees with
 * the controllers and a v2 tree beside them, which holds no limits but can end a whole group at once.
 */
export type Controller = "memory" | "cpu" | "pids";

export interface FileView {
  /** The text of a file, or null where it can't be read. */
  read(path: string): Promise<string | null>;
  writable(path: string): Promise<boolean>;
}

/** One tree in which containers get a folder. */
export interface CgroupHierarchy {
  readonly version: 1 | 2;
  readonly mountPoint: string;
  /** The existing group under which ours are made. */
  readonly parentDir: string;
  /** The controllers whose limits are set in this tree; may be none: then it serves to find and end processes. */
  readonly controllers: readonly Controller[];
  /** v2: controllers that must first be handed on to children of `parentDir`. */
  readonly enable: readonly Controller[];
}

export interface CgroupPlan {
  readonly layout: "v1" | "v2" | "hybrid" | "none";
  /** Where a process is moved first stands first: the one with the memory controller. */
  readonly hierarchies: readonly CgroupHierarchy[];
}

const WANTED: readonly Controller[] = ["memory", "pids", "cpu"];
export const NO_CGROUPS: CgroupPlan = { layout: "none", hierarchies: [] };

/** `every`: also v1 trees of no use to us, for runtimes that insist on a group in each. */
export async function detectCgroups(view: FileView, { every = false }: { readonly every?: boolean } = {}): Promise<CgroupPlan> {
  const memberships = parseMemberships((await view.read("/proc/self/cgroup")) ?? "");
  const mounts = parseCgroupMounts((await view.read("/proc/self/mountinfo")) ?? "");
  const v1 = await findV1(view, memberships, mounts, every);
  const held = new Set(v1.flatMap((hierarchy) => hierarchy.controllers));
  const v2 = await findV2(
    view,
    memberships,
    mounts,
    WANTED.filter((controller) => !held.has(controller)),
  );
  const hierarchies = [...v1, ...(v2 ? [v2] : [])].sort((a, b) => rank(a) - rank(b));
  if (hierarchies.length === 0) return NO_CGROUPS;
  const hasV1 = mounts.some((mount) => mount.version === 1 && mount.controllers.some((name) => (WANTED as readonly string[]).includes(name)));
  return { layout: !hasV1 ? "v2" : v2 ? "hybrid" : "v1", hierarchies };
}

export function plannedControllers(plan: CgroupPlan): ReadonlySet<Controller> {
  return new Set(plan.hierarchies.flatMap((hierarchy) => hierarchy.controllers));
}

interface Membership {
  /** Empty for v2. */
  readonly controllers: readonly string[];
  readonly path: string;
}

interface CgroupMount {
  readonly version: 1 | 2;
  /** Which group stands at the mount point: not "/" where a container sees only its own part. */
  readonly root: string;
  readonly mountPoint: string;
  readonly controllers: readonly string[];
}

/** Lines of /proc/self/cgroup: `4:memory:/path`, and `0::/path` for v2. */
function parseMemberships(text: string): Membership[] {
  return lines(text).flatMap((line) => {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    return match ? [{ controllers: match[1] ? match[1].split(",") : [], path: match[2]! }] : [];
  });
}

/** Lines of /proc/self/mountinfo: `id parent dev root mountpoint options … - type source super-options`. */
export function parseCgroupMounts(text: string): CgroupMount[] {
  return lines(text).flatMap((line): CgroupMount[] => {
    const [before, after] = line.split(" - ");
    const [, , , root, mountPoint] = before!.split(" ");
    const [type, , options] = (after ?? "").split(" ");
    if (root === undefined || mountPoint === undefined) return [];
    const place = { root: unescapeMount(root), mountPoint: unescapeMount(mountPoint) };
    if (type === "cgroup2") return [{ version: 2, controllers: [], ...place }];
    if (type === "cgroup") return [{ version: 1, controllers: (options ?? "").split(","), ...place }];
    return [];
  });
}

async function findV1(view: FileView, memberships: readonly Membership[], mounts: readonly CgroupMount[], every: boolean): Promise<CgroupHierarchy[]> {
  const found: CgroupHierarchy[] = [];
  for (const membership of memberships) {
    const controllers = WANTED.filter((controller) => membership.controllers.includes(controller));
    const mount = mounts.find((candidate) => candidate.version === 1 && membership.controllers.some((name) => candidate.controllers.includes(name)));
    if ((controllers.length === 0 && !every) || !mount) continue;
    const parentDir = dirOf(mount, membership.path);
    if ((await view.read(`${parentDir}/cgroup.procs`)) !== null && (await view.writable(parentDir)))
      found.push({ version: 1, mountPoint: mount.mountPoint, parentDir, controllers, enable: [] });
  }
  return found;
}

/**
 * In v2 a group that holds processes can't hand controllers on, and ours holds at least this process. So the
 * nearest ancestor is taken that hands on what is needed and may be written: under `systemd-run --user --scope`
 * that is the user's own slice, for root at worst the top. Processes may be moved where the common ancestor's
 * `cgroup.procs` may be written, and that is the same folder.
 */
async function findV2(
  view: FileView,
  memberships: readonly Membership[],
  mounts: readonly CgroupMount[],
  needed: readonly Controller[],
): Promise<CgroupHierarchy | null> {
  const membership = memberships.find((candidate) => candidate.controllers.length === 0);
  const mount = mounts.find((candidate) => candidate.version === 2);
  if (!membership || !mount) return null;
  let best: CgroupHierarchy | null = null;
  for (let dir = dirOf(mount, membership.path); ; dir = dir.slice(0, dir.lastIndexOf("/"))) {
    if ((await view.writable(dir)) && (await view.writable(`${dir}/cgroup.procs`))) {
      const handedOn = words(await view.read(`${dir}/cgroup.subtree_control`));
      const available = words(await view.read(`${dir}/cgroup.controllers`));
      // Only the true root has no cgroup.type, and only there the rule against inner processes does not hold.
      const isRoot = (await view.read(`${dir}/cgroup.type`)) === null;
      const controllers = needed.filter((name) => handedOn.includes(name) || (isRoot && available.includes(name)));
      const enable = controllers.filter((name) => !handedOn.includes(name));
      if (best === null || controllers.length > best.controllers.length)
        best = { version: 2, mountPoint: mount.mountPoint, parentDir: dir, controllers, enable };
    }
    if (dir === mount.mountPoint || dir.length <= mount.mountPoint.length) return best;
  }
}

/** Where a group's folder is. A path outside of what is mounted stands for the mount's own root. */
function dirOf(mount: CgroupMount, path: string): string {
  const inside = mount.root === "/" ? path : path === mount.root || path.startsWith(`${mount.root}/`) ? path.slice(mount.root.length) : "";
  return inside === "" || inside === "/" || inside.startsWith("/..") ? mount.mountPoint : mount.mountPoint + inside;
}

const rank = (hierarchy: CgroupHierarchy): number => (hierarchy.controllers.includes("memory") ? 0 : 1);
const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");
const words = (text: string | null): string[] => (text ?? "").split(/\s+/).filter((word) => word !== "");
const unescapeMount = (text: string): string => text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
