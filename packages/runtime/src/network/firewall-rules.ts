import { formatIpv4, formatIpv4Range, type Ipv4Range } from "@samovar/protocol";
import { LINK_LOCAL, type AllowList } from "./allow-list.ts";
import { gatewayOf } from "./address-block.ts";

/**
 * The rules of one server, as text for nft: pure functions. A table has one static part, and for each container a
 * chain `from_<index>` with its sets, which `containers` leads to by the container's address.
 */
export interface TableOptions {
  /** The instance's name: the table's, and the beginning of its links' names. */
  readonly instance: string;
  readonly block: Ipv4Range;
  /** Where the name server listens, at the gateway's address. */
  readonly dnsUdpPort: number;
  readonly dnsTcpPort: number;
}

export interface ContainerAddress {
  readonly index: number;
  readonly address: number;
  readonly link: string;
}

export interface Grant {
  readonly address: number;
  readonly lifetimeS: number;
  /** It may be there already: its time begins anew. */
  readonly again: boolean;
}

/** Addresses that names opened for one container. More, and its next name is not answered. */
export const MAX_GRANTED = 8_192;

export function tableRules(options: TableOptions): string {
  const { instance, block } = options;
  const ours = `"${instance}*"`;
  return `
table inet ${instance} {
  map containers { type ipv4_addr : verdict; }
  set sources { type ifname . ipv4_addr; }
  chain refused {
    reject with icmpx admin-prohibited
  }
  chain spoofed {
    type filter hook prerouting priority raw; policy accept;
    iifname ${ours} meta nfproto ipv6 drop
    iifname ${ours} iifname . ip saddr != @sources drop
  }
  chain resolver {
    type nat hook prerouting priority dstnat; policy accept;
${indented(resolverRules(options))}
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname ${ours} goto leaving
    oifname ${ours} goto arriving
  }
  chain leaving {
    ct state established,related accept
    oifname ${ours} goto refused
    ip daddr { 0.0.0.0/8, 127.0.0.0/8, ${formatIpv4Range(block)}, 224.0.0.0/3 } goto refused
    tcp flags syn tcp option maxseg size set rt mtu
    ip saddr vmap @containers
    goto refused
  }
  chain arriving {
    ct state established,related accept
    goto refused
  }
  chain input {
    type filter hook input priority filter; policy accept;
${indented(inputRules(options))}
  }
  chain output {
    type filter hook output priority filter; policy accept;
    oifname != ${ours} accept
    ct state established,related accept
    icmp type { destination-unreachable, time-exceeded } accept
    goto refused
  }
  chain translated {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${formatIpv4Range(block)} oifname != ${ours} masquerade
  }
}
`;
}

/** The name server of a table that is there listens elsewhere from now on. */
export function moveResolverRules(options: TableOptions): string {
  const replace = (chain: string, rules: readonly string[]): string[] => [
    `flush chain inet ${options.instance} ${chain}`,
    ...rules.map((rule) => `add rule inet ${options.instance} ${chain} ${rule}`),
  ];
  return [...replace("resolver", resolverRules(options)), ...replace("input", inputRules(options)), ""].join("\n");
}

function resolverRules({ instance, block, dnsUdpPort, dnsTcpPort }: TableOptions): string[] {
  const gateway = formatIpv4(gatewayOf(block));
  const asked = `iifname "${instance}*" ip daddr ${gateway}`;
  return [`${asked} udp dport 53 dnat ip to ${gateway}:${dnsUdpPort}`, `${asked} tcp dport 53 dnat ip to ${gateway}:${dnsTcpPort}`];
}

function inputRules({ instance, block, dnsUdpPort, dnsTcpPort }: TableOptions): string[] {
  const gateway = formatIpv4(gatewayOf(block));
  const ours = `iifname "${instance}*"`;
  return [
    `${ours} ip daddr ${gateway} udp dport ${dnsUdpPort} accept`,
    `${ours} ip daddr ${gateway} tcp dport ${dnsTcpPort} accept`,
    `${ours} ct state established,related accept`,
    `${ours} goto refused`,
    `iifname != "lo" ip daddr ${gateway} drop`,
  ];
}

const indented = (rules: readonly string[]): string => rules.map((rule) => `    ${rule}`).join("\n");

/** Packets of this link may come from this address alone. Whatever they ask for is refused until `openRules`. */
export function sourceRules(instance: string, { link, address }: ContainerAddress): string {
  return `add element inet ${instance} sources { "${link}" . ${formatIpv4(address)} }\n`;
}

export function removeSourceRules(instance: string, { link, address }: ContainerAddress): string {
  return `delete element inet ${instance} sources { "${link}" . ${formatIpv4(address)} }\n`;
}

/** Empty where the list opens nothing. */
export function openRules(instance: string, { index, address }: ContainerAddress, list: AllowList): string {
  if (!opensSomething(list)) return "";
  const table = `inet ${instance}`;
  const rules = [`add chain ${table} from_${index}`];
  const rule = (text: string): number => rules.push(`add rule ${table} from_${index} ${text}`);
  const named = list.linkLocal.length > 0 ? ` ip daddr != { ${list.linkLocal.map(formatIpv4Range).join(", ")} }` : "";
  rule(`ip daddr ${formatIpv4Range(LINK_LOCAL)}${named} goto refused`);
  if (list.ranges.length > 0) {
    rules.push(`add set ${table} open_${index} { type ipv4_addr; flags interval; elements = { ${list.ranges.map(formatIpv4Range).join(", ")} }; }`);
    rule(`ip daddr @open_${index} accept`);
  }
  if (list.domains.length > 0) {
    rules.push(`add set ${table} granted_${index} { type ipv4_addr; flags timeout; size ${MAX_GRANTED}; }`);
    rule(`ip daddr @granted_${index} accept`);
  }
  rule("goto refused");
  rules.push(`add element ${table} containers { ${formatIpv4(address)} : goto from_${index} }`);
  return `${rules.join("\n")}\n`;
}

export function closeRules(instance: string, { index, address }: ContainerAddress, list: AllowList): string {
  if (!opensSomething(list)) return "";
  const table = `inet ${instance}`;
  return [
    `delete element ${table} containers { ${formatIpv4(address)} }`,
    `flush chain ${table} from_${index}`,
    `delete chain ${table} from_${index}`,
    ...(list.ranges.length > 0 ? [`delete set ${table} open_${index}`] : []),
    ...(list.domains.length > 0 ? [`delete set ${table} granted_${index}`] : []),
    "",
  ].join("\n");
}

/**
 * An element that is there keeps its old time when it is added again (kernels before 6.12), and deleting one that is
 * not there fails. Added, deleted and added again, in one transaction, it has its new time and was never missing.
 */
export function grantRules(instance: string, index: number, grants: readonly Grant[]): string {
  const set = `inet ${instance} granted_${index}`;
  return grants
    .map(({ address, lifetimeS, again }) => {
      const add = `add element ${set} { ${formatIpv4(address)} timeout ${lifetimeS}s }\n`;
      return again ? `${add}delete element ${set} { ${formatIpv4(address)} }\n${add}` : add;
    })
    .join("");
}

export function removeTableRules(instance: string): string {
  return `delete table inet ${instance}\n`;
}

function opensSomething(list: AllowList): boolean {
  return list.ranges.length > 0 || list.domains.length > 0;
}
