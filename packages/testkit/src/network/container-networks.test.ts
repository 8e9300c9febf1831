import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NetworkPolicy } from "@samovar/protocol";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { needDebianPackage } from "../debian-packages.ts";
import { createNetworkHost, HOST_ADDRESS, WORLD, type NetworkHost, type NetworkServer } from "./network-host.fixture.ts";

const without =
  process.platform !== "linux" || process.getuid?.() !== 0
    ? "needs root on Linux"
    : ((await needDebianPackage("iproute2", "ip")) ?? (await needDebianPackage("nftables", "nft")) ?? (await needDebianPackage("util-linux", "nsenter")));

/** What a connection is answered that isn't let through: told at once, not left to a timeout. */
const REFUSED = "EHOSTUNREACH";

const isolated = (...allow: string[]): NetworkPolicy => ({ mode: "isolated", allow });
const world = (address: string): string => `ok ${address} saw ${HOST_ADDRESS}`;

// Skipped where it can't be had, with the reason in its name.
describe.skipIf(without !== null)(`networks of containers${without === null ? "" : ` (${without})`}`, () => {
  let host: NetworkHost;
  let untouched: string;
  let folder: string;
  let server: NetworkServer;
  let count = 0;

  beforeAll(async () => {
    host = await createNetworkHost();
    untouched = await host.state();
    folder = await mkdtemp(join(tmpdir(), "samovar-test-network-"));
  });
  beforeEach(async () => {
    server = await host.server(join(folder, "a"), { stock: 1 });
  });
  afterEach(async () => {
    await server.dispose().catch(() => {});
    const left = await host.state();
    if (left !== untouched) throw new Error(`The host was:\n${untouched}\nand now is:\n${left}`);
  });
  afterAll(async () => {
    await host?.dispose();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const make = (...allow: string[]) => server.create(`ctr_${++count}`, isolated(...allow));

  it("can be isolated here", () => {
    expect(server.modes).toEqual(["host", "isolated", "none"]);
    expect(server.missing).toEqual([]);
  });

  it("touch nothing on the host before the first isolated container", async () => {
    await server.create("ctr_none", { mode: "none", allow: [] });
    expect(await host.state()).toBe(untouched);
  });

  it("reach nothing with an empty list, and say so at once", async () => {
    const network = await make();
    for (const address of [WORLD.first, WORLD.private, WORLD.metadata, HOST_ADDRESS]) expect(await host.attempt(network, "tcp", address, "80")).toBe(REFUSED);
    expect(await host.attempt(network, "udp", WORLD.first, "80")).toBe(REFUSED);
    expect(await host.attempt(network, "lookup", "allowed.example")).toBe("EAI_AGAIN");
    expect(await host.attempt(network, "links")).toBe("ok lo,eth0");
  });

  it("reach the ranges of the list over TCP and UDP, and nothing beside them", async () => {
    const network = await make("198.51.100.10", "10.9.0.0/16", "10.9.9.0/24");
    expect(await host.attempt(network, "tcp", WORLD.first, "80")).toBe(world(WORLD.first));
    expect(await host.attempt(network, "udp", WORLD.first, "80")).toBe(`ok udp saw ${HOST_ADDRESS}`);
    expect(await host.attempt(network, "tcp", WORLD.private, "80")).toBe(world(WORLD.private));
    expect(await host.attempt(network, "tcp", WORLD.second, "80")).toBe(REFUSED);
  });

  it("reach a domain of the list, and neither its neighbours nor its address without asking for it", async () => {
    const network = await make("allowed.example");
    expect(await host.attempt(network, "tcp", WORLD.first, "80")).toBe(REFUSED);
    expect(await host.attempt(network, "tcp", "allowed.example", "80")).toBe(world(WORLD.first));
    expect(await host.attempt(network, "tcp", "ALLOWED.example", "80")).toBe(world(WORLD.first));
    for (const name of ["sub.allowed.example", "other.example", "notallowed.example"]) expect(await host.attempt(network, "tcp", name, "80")).toBe("EAI_AGAIN");
    expect(await host.attempt(network, "tcp", WORLD.second, "80")).toBe(REFUSED);
    // The resolver itself isn't in the list: names that aren't allowed can't be asked of it past our own.
    expect(await host.attempt(network, "udp", WORLD.resolver, "53")).toBe(REFUSED);
  });

  it("reach what is below a domain with a star, at any depth, but not the domain", async () => {
    const network = await make("*.allowed.example");
    expect(await host.attempt(network, "tcp", "sub.allowed.example", "80")).toBe(world(WORLD.second));
    expect(await host.attempt(network, "tcp", "deep.sub.allowed.example", "80")).toBe(world(WORLD.second));
    expect(await host.attempt(network, "tcp", "allowed.example", "80")).toBe("EAI_AGAIN");
  });

  it("get answers that are too long for one packet over TCP", async () => {
    const network = await make("*.allowed.example");
    expect(await host.attempt(network, "lookup", "many.allowed.example")).toBe(`ok ${WORLD.first},${WORLD.second}`);
    expect(await host.attempt(network, "tcp", WORLD.second, "80")).toBe(world(WORLD.second));
  });

  it("are told of names that aren't there, and of no IPv6 addresses", async () => {
    const network = await make("*.allowed.example", "allowed.example");
    const gateway = (await host.run(`cat ${network.resolvConf}`)).replace("nameserver ", "").trim();
    expect(await host.attempt(network, "resolve", gateway, "A", "nobody.allowed.example")).toBe("ENOTFOUND");
    expect(await host.attempt(network, "resolve", gateway, "AAAA", "allowed.example")).toBe("ENODATA");
    expect(await host.attempt(network, "resolve", gateway, "A", "other.example")).toBe("EREFUSED");
  });

  it("are not led to private, loopback or link-local addresses, nor to the host, by a name", async () => {
    const network = await make("*.rebind.example", "rebind.example");
    for (const name of ["rebind.example", "metadata.rebind.example", "host.rebind.example"])
      expect(await host.attempt(network, "tcp", name, "80")).toBe(REFUSED);
    // Its own loopback, where nobody listens.
    expect(await host.attempt(network, "tcp", "loopback.rebind.example", "80")).toBe("ECONNREFUSED");
    expect(await host.attempt(network, "lookup", "mixed.rebind.example")).toBe(`ok ${WORLD.private},${WORLD.first}`);
    expect(await host.attempt(network, "tcp", WORLD.first, "80")).toBe(world(WORLD.first));
    expect(await host.attempt(network, "tcp", WORLD.private, "80")).toBe(REFUSED);
    const ranged = await make("rebind.example", "10.9.9.9");
    expect(await host.attempt(ranged, "tcp", "rebind.example", "80")).toBe(world(WORLD.private));
  });

  it("reach link-local addresses only by an entry of their own", async () => {
    expect(await host.attempt(await make("0.0.0.0/0"), "tcp", WORLD.metadata, "80")).toBe(REFUSED);
    expect(await host.attempt(await make("0.0.0.0/0", "169.254.169.254"), "tcp", WORLD.metadata, "80")).toBe(world(WORLD.metadata));
  });

  it("reach neither the host's services nor other containers, whatever the list says", async () => {
    const [one, other] = [await make("0.0.0.0/0"), await make("0.0.0.0/0")];
    const address = await addressOf(other.netnsPath!);
    const service = await host.stay(null, "listen", "7777");
    const neighbour = await host.stay(other, "listen", "7777");
    for (const target of [HOST_ADDRESS, await gatewayOf(one.netnsPath!), address]) expect(await host.attempt(one, "tcp", target, "7777")).toBe(REFUSED);
    // Both heard nothing until now, and hear those who may.
    expect(await host.attempt(null, "tcp", address, "7777")).toBe(REFUSED);
    expect(await host.attempt(null, "tcp", "127.0.0.1", "7777")).not.toBe(REFUSED);
    expect(await service.answer).toBe("ok heard 127.0.0.1");
    expect(await host.attempt(other, "tcp", "127.0.0.1", "7777")).not.toBe(REFUSED);
    expect(await neighbour.answer).toBe("ok heard 127.0.0.1");
  });

  it("can't be reached from outside", async () => {
    const network = await make("0.0.0.0/0");
    const address = await addressOf(network.netnsPath!);
    await host.run(`ip -n world route add ${address} via ${HOST_ADDRESS}`);
    const listening = await host.stay(network, "listen", "7777");
    await expect(host.run(`ip netns exec world timeout 1 bash -c 'exec 3<>/dev/tcp/${address}/7777'`)).rejects.toThrow();
    await host.run(`ip -n world route del ${address}`);
    await host.attempt(network, "tcp", "127.0.0.1", "7777");
    expect(await listening.answer).toBe("ok heard 127.0.0.1");
  });

  it("can't pretend to have another address", async () => {
    const [one, other] = [await make("0.0.0.0/0"), await make("0.0.0.0/0")];
    const address = await addressOf(other.netnsPath!);
    const dial = (): Promise<string> => host.run(`nsenter --net=${one.netnsPath} timeout 2 bash -c 'exec 3<>/dev/tcp/${WORLD.first}/80'`);
    await dial();
    await host.run(
      `nsenter --net=${one.netnsPath} sh -c 'ip addr add ${address}/32 dev eth0; ip route replace default via ${await gatewayOf(one.netnsPath!)} dev eth0 src ${address}'`,
    );
    // Nothing comes back: it is dropped before anybody is asked.
    await expect(dial()).rejects.toThrow();
  });

  it("resolve all names where the list opens the host's resolver", async () => {
    const network = await make("0.0.0.0/0");
    expect(await host.attempt(network, "tcp", "other.example", "80")).toBe(world(WORLD.second));
    const narrow = await make(WORLD.resolver);
    expect(await host.attempt(narrow, "lookup", "other.example")).toBe(`ok ${WORLD.second}`);
    expect(await host.attempt(narrow, "tcp", "other.example", "80")).toBe(REFUSED);
  });

  it("keep what is connected when the time of a name's answer is over", async () => {
    const network = await make("allowed.example");
    const held = await host.stay(network, "hold", "allowed.example", "80");
    const table = (await host.run("nft list tables inet")).trim().replace("table ", "");
    const set = (await host.run(`nft list table ${table} | grep -o 'granted_[0-9]*' | head -1`)).trim();
    await host.run(`nft flush set ${table} ${set}`);
    expect(await host.attempt(network, "tcp", WORLD.first, "80")).toBe(REFUSED);
    held.send();
    expect(await held.answer).toBe(`${world(WORLD.first)}echo again`);
  });

  it("are not made for entries that mean nothing", async () => {
    await expect(make("https://allowed.example")).rejects.toThrow(
      'invalid_option: network.allow has a mistake. https://allowed.example is a URL: give its host alone, "allowed.example"',
    );
    await expect(make(...Array.from({ length: 1_001 }, (_, index) => `10.0.${index >> 8}.${index & 255}`))).rejects.toThrow("at most 1000");
    expect((await make("2001:db8::/32", "198.51.100.10")).netnsPath).not.toBeNull();
  });

  it("take a list of a thousand ranges", async () => {
    const network = await make(...Array.from({ length: 999 }, (_, index) => `10.${index >> 8}.${index & 255}.0/24`), WORLD.first);
    expect(await host.attempt(network, "tcp", WORLD.first, "80")).toBe(world(WORLD.first));
    expect(await host.attempt(network, "tcp", WORLD.second, "80")).toBe(REFUSED);
  });

  it("of two servers stand side by side, and one's end leaves the other's", async () => {
    const second = await host.server(join(folder, "b"), { stock: 1 });
    const [mine, theirs] = [await make("0.0.0.0/0", "allowed.example"), await second.create("ctr_theirs", isolated("0.0.0.0/0", "allowed.example"))];
    for (const network of [mine, theirs]) expect(await host.attempt(network, "tcp", "allowed.example", "80")).toBe(world(WORLD.first));
    expect(await host.attempt(mine, "tcp", await addressOf(theirs.netnsPath!), "7777")).toBe(REFUSED);
    await second.dispose();
    expect(await host.attempt(mine, "tcp", "allowed.example", "80")).toBe(world(WORLD.first));
  });

  it("of a killed server go when the next one starts, but for those whose container lives", async () => {
    const home = join(folder, "killed");
    const killed = await host.server(home, { stock: 2 });
    const made = await killed.create("ctr_living", isolated("198.51.100.10"));
    // The path by way of the server ends with the server; the name on the host does not.
    const living = { ...made, netnsPath: `/run/netns/${made.link}` };
    await killed.create("ctr_dead", isolated("allowed.example"));
    await killed.kill();
    const next = await host.server(home);
    await next.clearStale("ctr_living");
    expect(await host.attempt(living, "tcp", WORLD.first, "80")).toBe(world(WORLD.first));
    expect(await host.attempt(living, "tcp", WORLD.second, "80")).toBe(REFUSED);
    const own = await next.create("ctr_next", isolated("198.51.100.11"));
    await next.clearStale();
    expect(await host.attempt(own, "tcp", WORLD.second, "80")).toBe(world(WORLD.second));
    expect(await readdir(home)).toHaveLength(2);
    await next.dispose();
  });

  it("are taken back from a server that was killed: names are answered and open their addresses, also by the next server but one", async () => {
    const home = join(folder, "taken");
    const killed = await host.server(home, { stock: 2 });
    const made = await killed.create("ctr_back", isolated("*.allowed.example", "10.9.9.9"));
    const back = { ...made, netnsPath: `/run/netns/${made.link}` };
    await killed.create("ctr_dead", isolated("allowed.example"));
    expect(await host.attempt(back, "lookup", "sub.allowed.example")).toBe(`ok ${WORLD.second}`);
    await killed.kill();
    expect(await host.attempt(back, "lookup", "sub.allowed.example")).not.toMatch(/^ok/);

    const next = await host.server(home, { stock: 1 });
    await next.clearStale("ctr_back", "ctr_dead");
    expect(await next.takeBack("ctr_back")).toBe(true);
    expect(await next.takeBack("ctr_none")).toBe(false);
    await next.clearStale("ctr_back");
    // An address that the one before has opened, too, and those that none has.
    expect(await host.attempt(back, "tcp", "sub.allowed.example", "80")).toBe(world(WORLD.second));
    expect(await host.attempt(back, "lookup", "many.allowed.example")).toBe(`ok ${WORLD.first},${WORLD.second}`);
    expect(await host.attempt(back, "tcp", WORLD.first, "80")).toBe(world(WORLD.first));
    expect(await host.attempt(back, "tcp", WORLD.private, "80")).toBe(world(WORLD.private));
    expect(await host.attempt(back, "lookup", "other.example")).not.toMatch(/^ok/);
    expect(await host.attempt(back, "tcp", HOST_ADDRESS, "80")).toBe(REFUSED);
    // What nobody took back is gone, also what was made ahead.
    expect((await host.run("ls /run/netns")).split("\n").filter((name) => name.startsWith("smv"))).toEqual([made.link]);

    const own = await next.create("ctr_own", isolated("sub.allowed.example"));
    const second = { ...own, netnsPath: `/run/netns/${own.link}` };
    expect(await host.attempt(second, "tcp", "sub.allowed.example", "80")).toBe(world(WORLD.second));
    await next.kill();
    const last = await host.server(home);
    for (const id of ["ctr_back", "ctr_own"]) expect(await last.takeBack(id)).toBe(true);
    for (const network of [back, second]) expect(await host.attempt(network, "tcp", "sub.allowed.example", "80")).toBe(world(WORLD.second));
    await last.end("ctr_back");
    await last.clearStale("ctr_own");
    expect(await host.attempt(second, "lookup", "sub.allowed.example")).toBe(`ok ${WORLD.second}`);
    await last.end("ctr_own");
    await last.clearStale();
    expect((await readdir(home)).filter((name) => name.startsWith("smv"))).toEqual([]);
    await last.dispose();
  });

  it("are answered on other ports where something else has taken those of the dead server", async () => {
    const home = join(folder, "ports");
    const killed = await host.server(home, { stock: 0 });
    const made = await killed.create("ctr_ports", isolated("allowed.example"));
    const back = { ...made, netnsPath: `/run/netns/${made.link}` };
    const file = (await host.run(`ls ${home}/smv*/instance.json`)).trim();
    const { udpPort, tcpPort } = JSON.parse(await readFile(file, "utf8")) as { udpPort: number; tcpPort: number };
    const gateway = await gatewayOf(back.netnsPath);
    await killed.kill();
    const others = await host.stay(null, "occupy", gateway, String(udpPort), String(tcpPort));
    const next = await host.server(home);
    await next.takeBack("ctr_ports");
    expect(await host.attempt(back, "tcp", "allowed.example", "80")).toBe(world(WORLD.first));
    others.send();
    await others.answer;
    await next.end("ctr_ports");
    await next.clearStale();
    await next.dispose();
  });

  it("leave nothing after two hundred of them, made and ended at once", async () => {
    const before = [await make("198.51.100.10"), await host.state()] as const;
    await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        await server.create(`ctr_many_${index}`, isolated(...(index % 2 === 0 ? ["10.0.0.0/8", "*.allowed.example"] : [])));
        await server.end(`ctr_many_${index}`);
        await server.end(`ctr_many_${index}`);
      }),
    );
    expect(await host.attempt(before[0], "tcp", WORLD.first, "80")).toBe(world(WORLD.first));
    const left = (await host.state()).split("\n").filter((line) => line.startsWith("smv"));
    // The gateway, the one container, and the one in stock: a link and a namespace each.
    expect(new Set(left).size).toBe(3);
  });

  const addressOf = async (netns: string): Promise<string> =>
    (await host.run(`nsenter --net=${netns} ip -4 -br addr show eth0 | awk '{print $3}'`)).trim().split("/")[0]!;
  const gatewayOf = async (netns: string): Promise<string> => (await host.run(`nsenter --net=${netns} ip route | awk '/^default/ {print $3}'`)).trim();
});
