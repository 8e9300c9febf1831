import { readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Ipv4Range } from "@samovar/protocol";
import type { DnsPorts } from "./dns-forwarder.ts";
import type { ContainerAddress } from "./firewall-rules.ts";

/** What of an instance the next server of its home has to know, in a folder with the instance's name. */
export interface InstanceFacts extends DnsPorts {
  readonly block: Ipv4Range;
}

/** Of one of its containers, in a file with the container's id. */
export interface ContainerFacts extends ContainerAddress {
  readonly allow: readonly string[];
}

const FACTS = "instance.json";
const CONTAINERS = "containers";

export const instanceFolder = (home: string, name: string): string => join(home, name);
export const containersFolder = (home: string, name: string): string => join(home, name, CONTAINERS);
export const resolvConfFile = (home: string, name: string): string => join(home, name, "resolv.conf");

export async function writeInstance(home: string, name: string, facts: InstanceFacts): Promise<void> {
  await writeFile(join(home, name, FACTS), JSON.stringify(facts));
}

/** Rejects where there is none that can be read. */
export async function readInstance(home: string, name: string): Promise<InstanceFacts> {
  return JSON.parse(await readFile(join(home, name, FACTS), "utf8")) as InstanceFacts;
}

export async function writeContainer(home: string, name: string, containerId: string, facts: ContainerFacts): Promise<void> {
  await writeFile(join(containersFolder(home, name), containerId), JSON.stringify(facts));
}

/** As `readInstance`. */
export async function readContainer(home: string, name: string, containerId: string): Promise<ContainerFacts> {
  return JSON.parse(await readFile(join(containersFolder(home, name), containerId), "utf8")) as ContainerFacts;
}

export async function removeContainer(home: string, name: string, containerId: string): Promise<void> {
  await rm(join(containersFolder(home, name), containerId), { force: true });
}

/** Ids of its containers. */
export async function listContainers(home: string, name: string): Promise<string[]> {
  return readdir(containersFolder(home, name)).catch(() => []);
}
