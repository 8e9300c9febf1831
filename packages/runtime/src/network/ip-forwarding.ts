import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** The kernel passes packets between links only while this is 1: for the whole machine, or its network namespace. */
const SETTING = "/proc/sys/net/ipv4/ip_forward";
/** There while a Samovar server has turned it on. Of all servers of the machine, and gone after a reboot, as the setting is. */
const MARKER = "/run/samovar/ip-forward-was-off";

export async function isForwarding(): Promise<boolean> {
  return (await readFile(SETTING, "utf8")).trim() !== "0";
}

export async function turnForwardingOn(): Promise<void> {
  if (await isForwarding()) return;
  await mkdir(dirname(MARKER), { recursive: true });
  // The mark first: killed in between, the next server only turns off what is off.
  await writeFile(MARKER, "");
  await writeFile(SETTING, "1");
}

/**
 * For the last one that needs it: does nothing where somebody else had it on. A server that came meanwhile has found it on
 * and left it so: those say that they are there before they look, so whoever turns it off looks once more after that.
 */
export async function takeForwardingBack(isNeeded: () => Promise<boolean>): Promise<void> {
  const marked = await readFile(MARKER).catch(() => null);
  if (marked === null) return;
  await writeFile(SETTING, "0");
  if (await isNeeded()) return writeFile(SETTING, "1");
  await rm(MARKER, { force: true });
}
