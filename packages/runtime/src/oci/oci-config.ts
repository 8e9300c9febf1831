import type { SeccompProfile } from "./seccomp.ts";
import type { UserMapping } from "./user-mapping.ts";

/** A file or folder of this machine that a container sees. */
export interface Bind {
  readonly source: string;
  readonly destination: string;
  readonly writable?: boolean;
}

export interface OciConfigOptions {
  readonly rootPath: string;
  readonly hostname: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** In the order in which they must be mounted. */
  readonly binds: readonly Bind[];
  readonly user: UserMapping;
  readonly seccomp: SeccompProfile | null;
  /** `null`: the host's network. `own`: a new one with nothing but loopback. Else the namespace to join. */
  readonly network: null | "own" | { readonly path: string };
  /** Where the runtime makes control groups itself; null: it is told not to. */
  readonly cgroupsPath: string | null;
}

/** What there is in /proc of no use to a container, and of use to an attacker. */
const MASKED = ["acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "scsi", "sched_debug", "timer_list", "timer_stats"];
const READONLY = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

/** The runtime's configuration of one container: namespaces, root, user, and no capabilities at all. */
export function toOciConfig(options: OciConfigOptions): object {
  const { user, network } = options;
  const ids = { uid: user.size > 0 ? 0 : user.owner.uid, gid: user.size > 0 ? 0 : user.owner.gid };
  const namespaces: { type: string; path?: string }[] = ["pid", "mount", "ipc", "uts", "cgroup"].map((type) => ({ type }));
  if (user.size > 0) namespaces.push({ type: "user" });
  if (network !== null) namespaces.push(network === "own" ? { type: "network" } : { type: "network", path: network.path });
  return {
    ociVersion: "1.0.2",
    root: { path: options.rootPath, readonly: false },
    hostname: options.hostname,
    process: {
      terminal: false,
      user: ids,
      args: options.argv,
      env: Object.entries(options.env).map(([name, value]) => `${name}=${value}`),
      cwd: options.cwd,
      noNewPrivileges: true,
      capabilities: { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
    },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"] },
      { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] },
      { destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"] },
      ...options.binds.map(({ source, destination, writable = false }) => ({
        destination,
        type: "bind",
        source,
        options: ["rbind", "nosuid", "nodev", writable ? "rw" : "ro"],
      })),
    ],
    linux: {
      namespaces,
      ...(user.size > 0
        ? {
            uidMappings: [{ containerID: 0, hostID: user.owner.uid, size: user.size }],
            gidMappings: [{ containerID: 0, hostID: user.owner.gid, size: user.size }],
          }
        : {}),
      ...(options.cgroupsPath === null ? {} : { cgroupsPath: options.cgroupsPath }),
      ...(options.seccomp ? { seccomp: options.seccomp } : {}),
      maskedPaths: MASKED.map((name) => `/proc/${name}`),
      readonlyPaths: READONLY.map((name) => `/proc/${name}`),
    },
  };
}
