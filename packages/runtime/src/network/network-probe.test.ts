import { describe, expect, it } from "vitest";
import { describeDrops, describeProblem, probeNetwork, type Findings } from "./network-probe.ts";

const ok = { code: 0, stdout: "", stderr: "" };
const absent = { code: null, stdout: "", stderr: "spawn nft ENOENT" };
const all: Findings = { ip: ok, nft: ok, namespace: ok, forwarding: true, settable: true };

describe("what is lacking", () => {
  it.each<[string, Partial<Findings>, string | null]>([
    ["nothing", {}, null],
    ["forwarding, which can be turned on", { forwarding: false }, null],
    ["nft", { nft: absent }, "The network mode isolated is not there: nft is not installed. Get it with: apt-get install nftables iproute2"],
    [
      "both",
      { nft: absent, ip: absent },
      "The network mode isolated is not there: ip and nft are not installed. Get them with: apt-get install nftables iproute2",
    ],
    [
      "rights",
      { namespace: { code: 1, stdout: "", stderr: "unshare: unshare failed: Operation not permitted\n" } },
      "The network mode isolated is not there: this process may not make networks (unshare: unshare failed: Operation not permitted). Run the server as root: sudo samovar up",
    ],
    [
      "forwarding",
      { forwarding: false, settable: false },
      "The network mode isolated is not there: the kernel doesn't pass packets on, and this process may not change that. Turn it on with: sysctl -w net.ipv4.ip_forward=1",
    ],
  ])("%s", (_what, findings, problem) => expect(describeProblem({ ...all, ...findings })).toBe(problem));

  it("Linux", async () => {
    expect(await probeNetwork("darwin")).toEqual({ problem: "The network mode isolated needs Linux", warnings: [] });
  });
});

describe("firewalls of others", () => {
  const chains = (...list: object[]): string => JSON.stringify({ nftables: [{ metainfo: {} }, ...list.map((chain) => ({ chain }))] });
  it("that drop what they don't know are told, with what lets our links through", () => {
    const docker = chains(
      { family: "ip", table: "filter", name: "FORWARD", hook: "forward", policy: "drop" },
      { family: "ip", table: "filter", name: "DOCKER" },
    );
    expect(describeDrops(docker)).toEqual([
      "Isolated containers may reach nothing: the host's firewall drops what it doesn't know. Samovar's own rules decide what they may reach once these let their links through: iptables -I FORWARD -i smv+ -j ACCEPT; iptables -I FORWARD -o smv+ -j ACCEPT",
    ]);
    expect(describeDrops(chains({ family: "inet", hook: "input", policy: "drop" }))[0]).toContain("iptables -I INPUT -i smv+ -j ACCEPT");
  });
  it("that accept, or are for IPv6, are not", () => {
    expect(describeDrops(chains({ family: "ip", hook: "forward", policy: "accept" }, { family: "ip6", hook: "forward", policy: "drop" }))).toEqual([]);
    expect(describeDrops("{}")).toEqual([]);
  });
});
