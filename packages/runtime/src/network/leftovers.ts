import { readdir, rm } from "node:fs/promises";
import { instanceFolder, listContainers, readContainer, removeContainer } from "./instance-files.ts";
import { parseList, runCommand } from "./commands.ts";
import { gatewayLink, instanceOf, isInstanceName } from "./instance-name.ts";
import { takeForwardingBack } from "./ip-forwarding.ts";
import type { Kernel } from "./kernel.ts";
import { NETNS_DIR } from "./slots.ts";

export interface LeftoverOptions {
  readonly home: string;
  /** What the names of the home's instances begin with. */
  readonly prefix: string;
  /** The instance of this server, if it has one. */
  readonly own: string | null;
  readonly liveIds: ReadonlySet<string>;
  readonly kernel: Kernel;
}

/**
 * Removes instances of dead servers of this home of which no container lives. They are found by their names on the
 * host, and not by what the home says: it may be gone while they are there. Of one that stays go the links of the others.
 */
export async function removeLeftovers({ home, prefix, own, liveIds, kernel }: LeftoverOptions): Promise<void> {
  const [links, namespaces, tables, folders] = await Promise.all([listLinks(), listNamespaces(), listTables(), namesIn(home)]);
  const ofInstance = (names: readonly string[], instance: string): string[] => names.filter((name) => instanceOf(name, prefix) === instance);
  const found = new Set([...links, ...namespaces, ...tables, ...folders].flatMap((name) => instanceOf(name, prefix) ?? []));
  let removed = false;
  for (const instance of found) {
    if (instance === own) continue;
    const wired = [...new Set([...ofInstance(links, instance), ...ofInstance(namespaces, instance)])];
    const ids = await listContainers(home, instance);
    const [living, ended] = [ids.filter((id) => liveIds.has(id)), ids.filter((id) => !liveIds.has(id))];
    if (living.length > 0) {
      const used = await linksOf(home, instance, living);
      if (used) await kernel.unwire(wired.filter((name) => !used.has(name)));
      await Promise.all(ended.map((id) => removeContainer(home, instance, id)));
      continue;
    }
    removed = true;
    // Links first: until they are gone their rules must hold.
    await kernel.unwire(wired);
    for (const table of ofInstance(tables, instance)) await kernel.rules(`delete table inet ${table}\n`);
    await rm(instanceFolder(home, instance), { recursive: true, force: true });
  }
  if (removed) await takeForwardingBackIfLast();
}

/** Those of these containers and the gateway's; null where not all can be known. */
async function linksOf(home: string, instance: string, containerIds: readonly string[]): Promise<ReadonlySet<string> | null> {
  try {
    const containers = await Promise.all(containerIds.map((id) => readContainer(home, instance, id)));
    return new Set([gatewayLink(instance), ...containers.map(({ link }) => link)]);
  } catch {
    return null;
  }
}

/** Turns forwarding off again, where it was Samovar that turned it on and no server of this machine needs it any more. */
export async function takeForwardingBackIfLast(): Promise<void> {
  const isNeeded = async (): Promise<boolean> => (await listTables()).some(isInstanceName);
  if (!(await isNeeded())) await takeForwardingBack(isNeeded);
}

async function listLinks(): Promise<string[]> {
  return parseList(await runCommand("ip", ["-json", "link", "show"])).map((link) => String((link as { ifname?: unknown }).ifname));
}

async function listNamespaces(): Promise<string[]> {
  return namesIn(NETNS_DIR);
}

async function listTables(): Promise<string[]> {
  const result = await runCommand("nft", ["list", "tables", "inet"]);
  return result.code === 0 ? result.stdout.split("\n").flatMap((line) => /^table inet (\S+)$/.exec(line.trim())?.[1] ?? []) : [];
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
