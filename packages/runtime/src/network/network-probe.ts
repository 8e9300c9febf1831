import { access, constants } from "node:fs/promises";
import { runCommand, type CommandResult } from "./commands.ts";
import { tableRules } from "./firewall-rules.ts";
import { isForwarding } from "./ip-forwarding.ts";

/** What the machine has for isolated containers: looked at once, without changing anything. */
export interface NetworkProbe {
  /** Null: `isolated` can be had; else why not, with the command that helps. */
  readonly problem: string | null;
  /** Rules of others that stop what isolated containers send. */
  readonly warnings: readonly string[];
}

/** Nothing of this block is made: rules are only checked. */
const CHECKED_RULES = tableRules({ instance: "smv0000000", block: { kind: "ipv4", address: 0xc6120000, prefix: 20 }, dnsUdpPort: 1, dnsTcpPort: 1 });

export async function probeNetwork(platform: NodeJS.Platform = process.platform): Promise<NetworkProbe> {
  if (platform !== "linux") return { problem: "The network mode isolated needs Linux", warnings: [] };
  const [ip, nft, namespace, chains, forwarding, settable] = await Promise.all([
    runCommand("ip", ["-Version"]),
    runCommand("nft", ["--check", "-f", "-"], CHECKED_RULES),
    runCommand("unshare", ["--net", "true"]),
    runCommand("nft", ["-json", "list", "chains"]),
    isForwarding().catch(() => false),
    access("/proc/sys/net/ipv4/ip_forward", constants.W_OK).then(
      () => true,
      () => false,
    ),
  ]);
  return { problem: describeProblem({ ip, nft, namespace, forwarding, settable }), warnings: chains.code === 0 ? describeDrops(chains.stdout) : [] };
}

export interface Findings {
  readonly ip: CommandResult;
  readonly nft: CommandResult;
  readonly namespace: CommandResult;
  readonly forwarding: boolean;
  readonly settable: boolean;
}

export function describeProblem({ ip, nft, namespace, forwarding, settable }: Findings): string | null {
  const lacking = [...(isMissing(ip) ? ["ip"] : []), ...(isMissing(nft) ? ["nft"] : [])];
  if (lacking.length > 0)
    return `The network mode isolated is not there: ${lacking.join(" and ")} ${lacking.length > 1 ? "are" : "is"} not installed. Get ${lacking.length > 1 ? "them" : "it"} with: apt-get install nftables iproute2`;
  if (namespace.code !== 0 || nft.code !== 0) {
    const reason = (namespace.code !== 0 ? namespace.stderr : nft.stderr).trim().split("\n")[0]!.slice(0, 200);
    return `The network mode isolated is not there: this process may not make networks (${reason}). Run the server as root: sudo samovar up`;
  }
  if (!forwarding && !settable)
    return "The network mode isolated is not there: the kernel doesn't pass packets on, and this process may not change that. Turn it on with: sysctl -w net.ipv4.ip_forward=1";
  return null;
}

/**
 * Tables of others count too: what one of them drops is lost, whatever ours accepts. Docker's drops all that it
 * doesn't know, and so do most tables that guard a machine's own ports. `text` is the answer of `nft -json list chains`.
 */
export function describeDrops(text: string): string[] {
  const parsed: unknown = JSON.parse(text);
  const list = (parsed as { nftables?: unknown }).nftables;
  const dropping = (hook: string): boolean =>
    Array.isArray(list) &&
    list.some((each: unknown) => {
      const chain = (each as { chain?: Record<string, unknown> }).chain;
      return chain?.["hook"] === hook && chain["policy"] === "drop" && (chain["family"] === "ip" || chain["family"] === "inet");
    });
  const commands = [
    ...(dropping("forward") ? ["iptables -I FORWARD -i smv+ -j ACCEPT", "iptables -I FORWARD -o smv+ -j ACCEPT"] : []),
    ...(dropping("input") ? ["iptables -I INPUT -i smv+ -j ACCEPT"] : []),
  ];
  if (commands.length === 0) return [];
  return [
    `Isolated containers may reach nothing: the host's firewall drops what it doesn't know. Samovar's own rules decide what they may reach once these let their links through: ${commands.join("; ")}`,
  ];
}

function isMissing(result: CommandResult): boolean {
  return result.code === null && result.stderr.includes("ENOENT");
}
