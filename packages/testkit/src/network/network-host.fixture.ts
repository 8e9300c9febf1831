import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { NetworkPolicy } from "@samovar/protocol";
import type { ServerRequest } from "./network-server.fixture.ts";

/**
 * A made-up machine: a network namespace with its own links, firewall, /run and forwarding, and a second one behind it
 * that plays the rest of the world. What servers do to "the host" they do in there, so that tests neither see nor
 * change the real one, and everything is gone with it.
 */
export interface NetworkHost {
  /** Runs a shell command on the host; its output. Throws when it fails. */
  run(script: string): Promise<string>;
  /** Starts a server's networks. */
  server(home: string, options?: { readonly stock?: number; readonly range?: string }): Promise<NetworkServer>;
  /** Tries something inside a network, as `network-client` spells it; the host itself where it is null. */
  attempt(network: CreatedNetwork | null, ...args: string[]): Promise<string>;
  /** The same, for what stays: when it is ready. */
  stay(network: CreatedNetwork | null, ...args: string[]): Promise<Staying>;
  /** Links, namespaces, tables, routes and forwarding of the host. */
  state(): Promise<string>;
  dispose(): Promise<void>;
}

export interface CreatedNetwork {
  readonly netnsPath: string | null;
  readonly link: string | null;
  readonly resolvConf: string | null;
  readonly tookMs: number;
}

export interface NetworkServer {
  readonly modes: readonly string[];
  readonly missing: readonly string[];
  create(containerId: string, policy: NetworkPolicy): Promise<CreatedNetwork>;
  /** False where the container has no network to take back. */
  takeBack(containerId: string): Promise<boolean>;
  end(containerId: string): Promise<void>;
  clearStale(...liveIds: string[]): Promise<void>;
  dispose(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export interface Staying {
  send(): void;
  readonly answer: Promise<string>;
}

/** Addresses of the rest of the world. */
export const WORLD = { first: "198.51.100.10", second: "198.51.100.11", resolver: "198.51.100.53", metadata: "169.254.169.254", private: "10.9.9.9" } as const;
/** The host's own, towards the world. */
export const HOST_ADDRESS = "203.0.113.2";

const NAMES = [
  "allowed.example=198.51.100.10",
  "sub.allowed.example=198.51.100.11",
  "deep.sub.allowed.example=198.51.100.11",
  "other.example=198.51.100.11",
  "rebind.example=10.9.9.9",
  "loopback.rebind.example=127.0.0.1",
  "metadata.rebind.example=169.254.169.254",
  "host.rebind.example=203.0.113.2",
  "mixed.rebind.example=10.9.9.9,198.51.100.10",
  "many.allowed.example=198.51.100.10,198.51.100.11",
];

const SET_UP = `
set -e
mount -t tmpfs tmpfs /run
ip link set lo up
ip netns add world
ip link add uplink type veth peer name uplink netns world
ip addr add ${HOST_ADDRESS}/24 dev uplink
ip link set uplink up
ip route add default via 203.0.113.1
ip -n world link set lo up
ip -n world link set uplink up
ip -n world addr add 203.0.113.1/24 dev uplink
for address in ${Object.values(WORLD).join(" ")}; do ip -n world addr add $address/32 dev lo; done
`;

export async function createNetworkHost(): Promise<NetworkHost> {
  const holder = spawn("unshare", ["--net", "--mount", "sh", "-c", `${SET_UP} echo ready; exec cat`], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = (await Promise.race([once(holder.stdout, "data"), once(holder, "exit")])) as [unknown];
  if (!Buffer.isBuffer(line)) throw new Error("The made-up machine can't be made");
  const children = new Set<ChildProcess>();
  /** A program on the host, or in the network namespace `netns` of it. */
  const start = (argv: readonly string[], netns: string | null, ipc: boolean): ChildProcess => {
    const inside = netns === null ? [] : ["nsenter", `--net=${netns}`];
    const child = spawn("nsenter", ["--target", String(holder.pid), "--net", "--mount", ...inside, ...argv], {
      stdio: ["ignore", "pipe", "pipe", ...(ipc ? (["ipc"] as const) : [])],
    });
    children.add(child);
    child.once("exit", () => children.delete(child));
    return child;
  };
  const node = (file: string, ...args: string[]): string[] => [
    process.execPath,
    "--conditions=samovar-source",
    fileURLToPath(new URL(file, import.meta.url)),
    ...args,
  ];
  const attemptArgv = (network: CreatedNetwork | null, args: readonly string[]): string[] => [
    "unshare",
    "--mount",
    "sh",
    "-c",
    `${network ? `mount --bind ${network.resolvConf} /etc/resolv.conf;` : ""} exec "$@"`,
    "sh",
    ...node("network-client.fixture.ts", ...args),
  ];
  const run = async (script: string): Promise<string> => {
    const { code, stdout, stderr } = await outputOf(start(["sh", "-c", script], null, false));
    if (code !== 0) throw new Error(`${script}: ${stderr}`);
    return stdout;
  };
  const world = start(node("network-peer.fixture.ts", Object.values(WORLD).join(","), WORLD.resolver, ...NAMES), "/run/netns/world", true);
  await ready(world);
  return {
    run,
    async server(home, options = {}) {
      const child = start(node("network-server.fixture.ts"), null, true);
      await ready(child);
      return toServer(child, { do: "open", home, resolvers: [WORLD.resolver], ...options });
    },
    async attempt(network, ...args) {
      return (await outputOf(start(attemptArgv(network, args), network?.netnsPath ?? null, false))).stdout.trim();
    },
    async stay(network, ...args) {
      const child = start(attemptArgv(network, args), network?.netnsPath ?? null, true);
      const answer = outputOf(child).then((output) => output.stdout.trim());
      await ready(child);
      return { send: () => child.send("go"), answer };
    },
    // The kernel takes namespaces and links apart behind the back of those who asked: addresses and routes are gone at once.
    state: () =>
      run(
        "ip -br link | sed 's/@.*//' | awk '{print $1}'; ls /run/netns; nft list tables; ip route; ls /run/samovar 2>/dev/null || true; cat /proc/sys/net/ipv4/ip_forward",
      ),
    async dispose() {
      const running = [...children, holder].filter((child) => child.exitCode === null && child.signalCode === null);
      const ended = running.map((child) => once(child, "exit"));
      for (const child of running) child.kill("SIGKILL");
      await Promise.all(ended);
    },
  };
}

async function toServer(child: ChildProcess, open: ServerRequest): Promise<NetworkServer> {
  const request = toRequests(child);
  const opened = await request<{ readonly modes: readonly string[]; readonly missing: readonly string[] }>(open);
  return {
    ...opened,
    create: (containerId, policy) => request({ do: "create", containerId, policy }),
    takeBack: (containerId) => request({ do: "take-back", containerId }),
    end: (containerId) => request({ do: "end", containerId }),
    clearStale: (...liveIds) => request({ do: "clear-stale", liveIds }),
    async dispose() {
      await request({ do: "dispose" });
      child.disconnect();
      await once(child, "exit");
    },
    async kill() {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Questions to the child, each with its answer. */
function toRequests(child: ChildProcess): <Result>(request: ServerRequest) => Promise<Result> {
  const waiting = new Map<number, { resolve(result: never): void; reject(error: Error): void }>();
  let count = 0;
  child.on("message", ({ id, result, error }: { id: number; result: never; error?: string }) => {
    if (error === undefined) waiting.get(id)?.resolve(result);
    else waiting.get(id)?.reject(new Error(error));
    waiting.delete(id);
  });
  child.once("exit", () => {
    for (const { reject } of waiting.values()) reject(new Error("The server has ended"));
  });
  return (request) =>
    new Promise((resolve, reject) => {
      const id = ++count;
      waiting.set(id, { resolve, reject });
      child.send({ id, request });
    });
}

async function ready(child: ChildProcess): Promise<void> {
  let errors = "";
  child.stderr?.on("data", (text: Buffer) => (errors += text.toString()));
  const [message] = (await Promise.race([once(child, "message"), once(child, "exit")])) as [{ ready?: boolean } | number | null];
  if (typeof message !== "object" || !message?.ready) throw new Error(`It ended before it was ready: ${errors}`);
}

async function outputOf(child: ChildProcess): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const read = { stdout: "", stderr: "" };
  child.stdout!.on("data", (text: Buffer) => (read.stdout += text.toString()));
  child.stderr!.on("data", (text: Buffer) => (read.stderr += text.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...read };
}
