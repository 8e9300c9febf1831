import type { CdiDeviceNode, CdiHook, CdiMount, ContainerEdits } from "./cdi-spec.ts";

interface Mount {
  readonly destination: string;
  readonly source: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** The parts of an OCI runtime's config.json that devices change. */
interface OciConfig {
  process?: { env?: readonly string[]; user?: { additionalGids?: readonly number[] } };
  mounts?: readonly { destination: string }[];
  hooks?: Readonly<Record<string, readonly object[]>>;
  linux?: { devices?: readonly { path: string }[]; cgroupsPath?: string; resources?: { devices?: readonly object[] } };
}

/**
 * The configuration of a container with the devices in it. Variables, device nodes and mounts stand in the place of those of the same name that the
 * configuration has; new mounts come after its own, outer ones first. That the container may use its devices is only
 * written where the runtime keeps its control groups: elsewhere nothing denies them.
 */
export function applyEdits<T extends object>(config: T, edits: ContainerEdits): T {
  const { process, mounts = [], hooks, linux } = config as OciConfig;
  const applied: OciConfig = { ...(config as OciConfig) };
  if (edits.env.length > 0) applied.process = { ...process, env: replace(process?.env ?? [], edits.env, (line) => line.slice(0, line.indexOf("="))) };
  if (edits.additionalGids.length > 0) {
    const { user } = applied.process ?? {};
    applied.process = { ...applied.process, user: { ...user, additionalGids: [...new Set([...(user?.additionalGids ?? []), ...edits.additionalGids])] } };
  }
  const added = [...edits.mounts.map(toMount), ...edits.deviceNodes.filter(isElsewhere).map(toNodeMount)];
  if (added.length > 0) {
    const sorted = added.toSorted((a, b) => depth(a.destination) - depth(b.destination));
    applied.mounts = replace(mounts, sorted, ({ destination }) => destination);
  }
  if (edits.deviceNodes.length > 0) {
    const nodes = edits.deviceNodes.filter((node) => !isElsewhere(node)).map(toDevice);
    const allowed = edits.deviceNodes.filter(({ type }) => type !== "p").map(toRule);
    applied.linux = {
      ...linux,
      ...(nodes.length === 0 ? {} : { devices: replace(linux?.devices ?? [], nodes, ({ path }) => path) }),
      ...(linux?.cgroupsPath === undefined && !linux?.resources
        ? {}
        : { resources: { ...linux.resources, devices: [...(linux.resources?.devices ?? []), ...allowed] } }),
    };
  }
  if (edits.hooks.length > 0) {
    const merged: Record<string, readonly object[]> = { ...hooks };
    for (const { hookName, ...hook } of edits.hooks) merged[hookName] = [...(merged[hookName] ?? []), toHook(hook)];
    applied.hooks = merged;
  }
  return applied as T;
}

function replace<T>(own: readonly T[], added: readonly T[], key: (item: T) => string): T[] {
  const keys = new Set(added.map(key));
  return [...own.filter((item) => !keys.has(key(item))), ...added];
}

function toMount({ hostPath, containerPath, type, options = [] }: CdiMount): Mount {
  const isBind = type === undefined || type === "bind" || type === "none";
  const bind = isBind && !options.some((option) => option === "bind" || option === "rbind") ? ["bind"] : [];
  return { destination: containerPath, source: hostPath, type: isBind ? "bind" : type, options: [...options, ...bind] };
}

/**
 * On this machine it has another path: then it is mounted. In a user namespace runtimes can't make nodes, and take the
 * machine's own by the path that it has in the container.
 */
const isElsewhere = ({ path, hostPath }: CdiDeviceNode): boolean => hostPath !== undefined && hostPath !== path;

const toNodeMount = ({ path, hostPath, permissions = "rwm" }: CdiDeviceNode): Mount => ({
  destination: path,
  source: hostPath!,
  type: "bind",
  options: ["bind", "nosuid", "noexec", permissions.includes("w") ? "rw" : "ro"],
});

function toDevice({ path, type, major, minor, fileMode, uid, gid }: CdiDeviceNode): { path: string } & Record<string, unknown> {
  return {
    path,
    type: type ?? "c",
    ...(major === undefined ? {} : { major }),
    ...(minor === undefined ? {} : { minor }),
    ...(fileMode === undefined ? {} : { fileMode }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  };
}

const toRule = ({ type, major, minor, permissions = "rwm" }: CdiDeviceNode): object => ({
  allow: true,
  type: type === "b" ? "b" : "c",
  ...(major === undefined ? {} : { major }),
  ...(minor === undefined ? {} : { minor }),
  access: permissions,
});

const toHook = ({ path, args, env, timeout }: Omit<CdiHook, "hookName">): object => ({
  path,
  ...(args ? { args } : {}),
  ...(env ? { env } : {}),
  ...(timeout === undefined ? {} : { timeout }),
});

const depth = (path: string): number => path.split("/").filter((part) => part !== "").length;
