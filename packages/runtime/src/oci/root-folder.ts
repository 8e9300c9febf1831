import { access, chmod, copyFile, lchown, lstat, mkdir, readdir, readlink, realpath, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeFolders } from "@samovar/kit";
import { makePipes, outputPipes } from "../container-pipes.ts";
import type { ContainerFolder, FileOwner } from "../container-folder.ts";
import type { Bind } from "./oci-config.ts";

/** Where things stand in a container. A folder that no host is likely to have: modules of the host appear at their own paths. */
export const INSIDE = {
  code: "/samovar/code",
  bin: "/samovar/bin",
  node: "/samovar/bin/node",
  runner: "/samovar/runner.mjs",
  /** The folder of the server's socket. */
  server: "/samovar/server",
  home: "/home/samovar",
  tmp: "/tmp",
} as const;

/** A container's private folder. What the container may write to stands in `data`. */
export interface OciFolder extends ContainerFolder {
  readonly data: string;
  readonly rootfs: string;
  readonly config: string;
  readonly state: string;
  readonly logFile: string;
}

/** `data` may be a disk of its own, which is seen elsewhere. */
export function toOciFolder(root: string, data: string = join(root, "data")): OciFolder {
  const at = (name: string): string => join(root, name);
  const of = (name: string): string => join(data, name);
  return {
    ...{ root, config: at("config.json"), state: at("state"), logFile: at("log") },
    ...{ data, rootfs: of("rootfs"), work: of("work"), home: of("home"), tmp: of("tmp") },
  };
}

/** Folders of programs and libraries: links into /usr on most systems, folders of their own on others. */
const SYSTEM_FOLDERS = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
const ROOT_FOLDERS = [
  "dev",
  "etc",
  "home",
  "home/samovar",
  "mnt",
  "opt",
  "proc",
  "root",
  "run",
  "samovar",
  "samovar/bin",
  "samovar/code",
  "samovar/server",
  "sys",
  "tmp",
  "usr",
  "var",
];
/** What programs look for in /etc and what is no secret: taken as it is where the host has it. */
const ETC_FILES = ["ld.so.cache", "ld.so.conf", "mime.types", "protocols", "services", "ssl/openssl.cnf"];
const ETC_FOLDERS = ["alternatives", "ca-certificates", "pki/ca-trust/extracted", "pki/tls/certs", "ssl/certs"];
const ETC_WRITTEN: Readonly<Record<string, string>> = {
  passwd: "root:x:0:0:root:/home/samovar:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
  group: "root:x:0:\nnogroup:x:65534:\n",
  hosts: "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
  "nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n",
  // Mounted over; a mount needs something to stand on.
  "resolv.conf": "",
};
const ETC_LINKS: Readonly<Record<string, string>> = {
  localtime: "/usr/share/zoneinfo/UTC",
  mtab: "/proc/self/mounts",
  "os-release": "../usr/lib/os-release",
};

/** What all containers of a driver see of this machine. */
export interface HostRoot {
  /** Where the parts of it that were made are. */
  readonly folder: string;
  readonly links: readonly { readonly name: string; readonly target: string }[];
  readonly binds: readonly Bind[];
  /** What /etc/resolv.conf is here; null where there is none. */
  readonly resolvConf: string | null;
}

/**
 * Looks at the host's root once, and makes the /etc that containers get, in `folder`: certificates, names of users, where
 * names are asked for. None of the host's own settings, homes or keys.
 */
export async function prepareHostRoot(folder: string): Promise<HostRoot> {
  const etc = join(folder, "etc");
  makeFolders(etc, 0o755);
  await chmod(folder, 0o755);
  const links: { name: string; target: string }[] = [];
  const binds: Bind[] = [
    { source: "/usr", destination: "/usr" },
    { source: etc, destination: "/etc" },
  ];
  for (const name of SYSTEM_FOLDERS) {
    const found = await lstat(`/${name}`).catch(() => null);
    if (found?.isSymbolicLink()) links.push({ name, target: await readlink(`/${name}`) });
    else if (found?.isDirectory()) binds.push({ source: `/${name}`, destination: `/${name}` });
  }
  for (const name of ETC_FILES) {
    makeFolders(dirname(join(etc, name)));
    await copyFile(`/etc/${name}`, join(etc, name)).catch(() => {});
  }
  for (const [name, text] of Object.entries(ETC_WRITTEN)) await writeFile(join(etc, name), text);
  for (const [name, target] of Object.entries(ETC_LINKS)) await symlink(target, join(etc, name)).catch(() => {});
  for (const name of ETC_FOLDERS) {
    if (!(await isThere(`/etc/${name}`))) continue;
    makeFolders(join(etc, name));
    binds.push({ source: `/etc/${name}`, destination: `/etc/${name}` });
  }
  const resolvConf = await realpath("/etc/resolv.conf").catch(() => null);
  return { folder, links, binds, resolvConf };
}

/** Makes the folder itself, closed to all but who comes by the driver's own way. */
export async function makeOuterFolder({ root, state }: OciFolder): Promise<void> {
  await mkdir(root, { mode: 0o711 });
  // The mask of the process may have taken what the container's user needs.
  await chmod(root, 0o711);
  await Promise.all([mkdir(state, { mode: 0o711 }), makePipes([root])]);
}

/** Makes what a container is to find, as long as nobody runs there. It belongs to nobody in particular yet. */
export async function makeData(folder: OciFolder, host: HostRoot): Promise<void> {
  makeFolders(folder.data, 0o711);
  await chmod(folder.data, 0o711);
  await Promise.all(topFolders(folder).map((path) => mkdir(path)));
  await chmod(folder.tmp, 0o1777);
  for (const name of ROOT_FOLDERS) await mkdir(join(folder.rootfs, name));
  await symlink("../tmp", join(folder.rootfs, "var/tmp"));
  await Promise.all(host.links.map(({ name, target }) => symlink(target, join(folder.rootfs, name))));
}

/** Gives it to the container's user. */
export async function giveData(folder: OciFolder, { uid, gid }: FileOwner): Promise<void> {
  const paths = [...outputPipes(folder.root), folder.home, folder.tmp, folder.rootfs, ...ROOT_FOLDERS.map((name) => join(folder.rootfs, name))];
  await Promise.all(paths.map((path) => lchown(path, uid, gid)));
}

const topFolders = (folder: OciFolder): string[] => [folder.work, folder.home, folder.tmp, folder.rootfs];

/** A folder that is there, or is made, with all in it belongs to `owner` from now on. */
export async function giveFolder(path: string, owner: FileOwner): Promise<void> {
  makeFolders(path);
  if ((await lstat(path)).uid === owner.uid) return;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    await lchown(join(entry.parentPath, entry.name), owner.uid, owner.gid).catch(() => {});
  }
  await lchown(path, owner.uid, owner.gid);
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
