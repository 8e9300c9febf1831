import { parse } from "yaml";

/**
 * A file of the Container Device Interface, versions 0.3 to 1.0: which devices a vendor has, and what a container needs to use
 * them. https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md
 */
export interface CdiSpec {
  /** Vendor and class, such as `nvidia.com/gpu`. */
  readonly kind: string;
  /** What each container needs that gets one of the devices, once. */
  readonly containerEdits: ContainerEdits;
  readonly devices: readonly CdiDevice[];
}

export interface CdiDevice {
  readonly name: string;
  readonly containerEdits: ContainerEdits;
}

/** What changes in a container's configuration. */
export interface ContainerEdits {
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly deviceNodes: readonly CdiDeviceNode[];
  readonly mounts: readonly CdiMount[];
  readonly hooks: readonly CdiHook[];
  readonly additionalGids: readonly number[];
}

export interface CdiDeviceNode {
  /** In the container, and on this machine where `hostPath` is absent. */
  readonly path: string;
  readonly hostPath?: string;
  readonly type?: "b" | "c" | "u" | "p";
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  /** Some of `rwm`. */
  readonly permissions?: string;
  readonly uid?: number;
  readonly gid?: number;
}

export interface CdiMount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly type?: string;
  readonly options?: readonly string[];
}

export interface CdiHook {
  readonly hookName: HookName;
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}

/** As the OCI runtime specification has them. */
export const HOOK_NAMES = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] as const;
export type HookName = (typeof HOOK_NAMES)[number];

export const NO_EDITS: ContainerEdits = { env: [], deviceNodes: [], mounts: [], hooks: [], additionalGids: [] };

const VERSION = /^(?:0\.[3-8]\.\d+|1\.0\.\d+)$/;
const KIND = /^[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]\/[A-Za-z](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const DEVICE_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?$/;
/** What would be lost without a word if it were passed over. */
const NOT_SUPPORTED = ["intelRdt", "netDevices"];

/** Throws an Error that says what is wrong, for whoever knows the file. JSON is YAML. */
export function parseCdiSpec(text: string): CdiSpec {
  const spec = asObject(parse(text, { maxAliasCount: 100 }) as unknown, "the file");
  const version = asText(spec.cdiVersion, "cdiVersion");
  if (!VERSION.test(version)) throw new Error(`its cdiVersion is ${JSON.stringify(version)}, but 0.3.0 to 1.0.0 are known`);
  const kind = asText(spec.kind, "kind");
  if (!KIND.test(kind)) throw new Error(`its kind is ${JSON.stringify(kind)}, but a kind is VENDOR/CLASS, such as "nvidia.com/gpu"`);
  const devices = asList(spec.devices, "devices", readDevice);
  if (devices.length === 0) throw new Error("it has no devices");
  const names = new Set<string>();
  for (const { name } of devices) {
    if (names.has(name)) throw new Error(`it has two devices named ${JSON.stringify(name)}`);
    names.add(name);
  }
  return { kind, containerEdits: readEdits(spec.containerEdits, "containerEdits"), devices };
}

function readDevice(value: unknown, at: string): CdiDevice {
  const device = asObject(value, at);
  // YAML reads the name 0 as a number.
  const name = typeof device.name === "number" ? String(device.name) : asText(device.name, `${at}.name`);
  if (!DEVICE_NAME.test(name)) throw new Error(`${at}.name is ${JSON.stringify(name)}, which is not a device's name`);
  return { name, containerEdits: readEdits(device.containerEdits, `${at}.containerEdits`) };
}

function readEdits(value: unknown, at: string): ContainerEdits {
  if (value === undefined || value === null) return NO_EDITS;
  const edits = asObject(value, at);
  const strange = NOT_SUPPORTED.find((key) => edits[key] !== undefined);
  if (strange !== undefined) throw new Error(`${at} has ${strange}, which is not supported`);
  return {
    env: asList(edits.env, `${at}.env`, readVariable),
    deviceNodes: asList(edits.deviceNodes, `${at}.deviceNodes`, readNode),
    mounts: asList(edits.mounts, `${at}.mounts`, readMount),
    hooks: asList(edits.hooks, `${at}.hooks`, readHook),
    additionalGids: asList(edits.additionalGids, `${at}.additionalGids`, asNumber),
  };
}

function readVariable(value: unknown, at: string): string {
  const text = asText(value, at);
  if (text.indexOf("=") < 1 || text.includes("\0")) throw new Error(`${at} is ${JSON.stringify(text)}, but each is NAME=value`);
  return text;
}

function readNode(value: unknown, at: string): CdiDeviceNode {
  const node = asObject(value, at);
  const type = orAbsent(node.type, `${at}.type`, asText);
  if (type !== undefined && !/^[bcup]$/.test(type)) throw new Error(`${at}.type is ${JSON.stringify(type)}, but it is b, c, u or p`);
  const permissions = orAbsent(node.permissions, `${at}.permissions`, asText);
  if (permissions !== undefined && !/^[rwm]{1,3}$/.test(permissions))
    throw new Error(`${at}.permissions is ${JSON.stringify(permissions)}, but it is some of rwm`);
  return defined({
    path: asPath(node.path, `${at}.path`),
    hostPath: orAbsent(node.hostPath, `${at}.hostPath`, asPath),
    type: type as CdiDeviceNode["type"],
    major: orAbsent(node.major, `${at}.major`, asNumber),
    minor: orAbsent(node.minor, `${at}.minor`, asNumber),
    fileMode: orAbsent(node.fileMode, `${at}.fileMode`, asNumber),
    permissions,
    uid: orAbsent(node.uid, `${at}.uid`, asNumber),
    gid: orAbsent(node.gid, `${at}.gid`, asNumber),
  });
}

function readMount(value: unknown, at: string): CdiMount {
  const mount = asObject(value, at);
  return defined({
    hostPath: asText(mount.hostPath, `${at}.hostPath`),
    containerPath: asPath(mount.containerPath, `${at}.containerPath`),
    type: orAbsent(mount.type, `${at}.type`, asText),
    options: orAbsent(mount.options, `${at}.options`, (list, where) => asList(list, where, asText)),
  });
}

function readHook(value: unknown, at: string): CdiHook {
  const hook = asObject(value, at);
  const hookName = HOOK_NAMES.find((name) => name === hook.hookName);
  if (hookName === undefined) throw new Error(`${at}.hookName is ${JSON.stringify(hook.hookName)}, but it is one of ${HOOK_NAMES.join(", ")}`);
  return defined({
    hookName,
    path: asPath(hook.path, `${at}.path`),
    args: orAbsent(hook.args, `${at}.args`, (list, where) => asList(list, where, asText)),
    env: orAbsent(hook.env, `${at}.env`, (list, where) => asList(list, where, readVariable)),
    timeout: orAbsent(hook.timeout, `${at}.timeout`, asNumber),
  });
}

function asObject(value: unknown, at: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Error(`${at} is not an object`);
}

function asList<T>(value: unknown, at: string, read: (item: unknown, at: string) => T): T[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Error(`${at} is not a list`);
  return value.map((item, i) => read(item, `${at}[${i}]`));
}

function asText(value: unknown, at: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new Error(`${at} is ${JSON.stringify(value) ?? "absent"}, but it is a text`);
}

function asPath(value: unknown, at: string): string {
  const path = asText(value, at);
  if (path.startsWith("/") && !path.includes("\0") && !path.split("/").includes("..")) return path;
  throw new Error(`${at} is ${JSON.stringify(path)}, but it is an absolute path`);
}

function asNumber(value: unknown, at: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`${at} is ${JSON.stringify(value) ?? "absent"}, but it is a whole number`);
}

const orAbsent = <T>(value: unknown, at: string, read: (value: unknown, at: string) => T): T | undefined =>
  value === undefined || value === null ? undefined : read(value, at);

/** Without the fields that are undefined. */
const defined = <T extends object>(value: { [K in keyof T]: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
