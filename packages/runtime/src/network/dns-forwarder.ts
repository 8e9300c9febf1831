import { createSocket, type RemoteInfo, type Socket as UdpSocket } from "node:dgram";
import { Resolver as SystemResolver } from "node:dns";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Clock, Logger } from "@samovar/kit";
import { formatIpv4, parseIpv4 } from "@samovar/protocol";
import { opens, type AllowList } from "./allow-list.ts";
import { decide, emptyAnswer, readQuestion, toClientAnswer, type DnsQuestion, type UpstreamAnswer } from "./dns-query.ts";
import { splitTcpMessages, toTcpMessage } from "./dns-tcp.ts";
import { askResolvers, parseResolver } from "./upstream-resolvers.ts";

/** A container, to the name server. */
export interface DnsClient {
  readonly containerId: string;
  readonly list: AllowList;
  /** Lets the container reach these addresses, before it is told of them. */
  grant(addresses: readonly number[], ttlS: number): Promise<void>;
}

/** Questions of one container under way; more are answered with a failure. */
const MAX_PENDING = 64;
const MAX_TCP_CONNECTIONS = 8;
const MAX_QUERY_BYTES = 1_024;
const TCP_IDLE_MS = 10_000;

interface ClientState {
  readonly client: DnsClient;
  readonly ended: AbortController;
  pending: number;
  readonly connections: Set<Socket>;
  /** Names that were told in the log, each once. */
  readonly told: Set<string>;
}

export interface DnsPorts {
  readonly udpPort: number;
  readonly tcpPort: number;
}

export interface DnsForwarderOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** As `dns.getServers()` has them; asked for with every question, since a laptop changes networks. */
  readonly resolvers?: () => readonly string[];
}

/**
 * The name server of isolated containers, in the server's own process. It knows who asks by the address, which the
 * firewall holds to the container's link; it answers for names of the container's list alone, and opens the addresses
 * of an answer before it gives it.
 *
 * States: closed → listening → closed. A client's questions end with `remove`.
 */
export class DnsForwarder {
  readonly #options: DnsForwarderOptions;
  readonly #clients = new Map<string, ClientState>();
  #udp: UdpSocket | null = null;
  #tcp: Server | null = null;

  constructor(options: DnsForwarderOptions) {
    this.#options = options;
  }

  /** On these ports, or on others that are free where something else holds them, as it may hold port 53 of all addresses. */
  async listen(address: string, wanted: DnsPorts = { udpPort: 0, tcpPort: 0 }): Promise<DnsPorts> {
    const udp = await onPort(wanted.udpPort, async (port) => {
      const socket = createSocket("udp4").bind(port, address);
      await once(socket, "listening");
      return socket;
    });
    this.#udp = udp;
    udp.on("message", (packet, from) => void this.#udpQuery(udp, packet, from));
    udp.on("error", (error) => this.#options.logger.warn({ error }, "The containers' name server has a problem with its socket"));
    const tcp = await onPort(wanted.tcpPort, async (port) => {
      const server = createServer((socket) => this.#tcpClient(socket)).listen(port, address);
      await once(server, "listening");
      return server;
    });
    this.#tcp = tcp;
    tcp.on("error", (error) => this.#options.logger.warn({ error }, "The containers' name server has a problem with its socket"));
    udp.unref();
    tcp.unref();
    return { udpPort: udp.address().port, tcpPort: (tcp.address() as AddressInfo).port };
  }

  add(address: number, client: DnsClient): void {
    this.#clients.set(formatIpv4(address), { client, ended: new AbortController(), pending: 0, connections: new Set(), told: new Set() });
  }

  remove(address: number): void {
    const key = formatIpv4(address);
    const state = this.#clients.get(key);
    this.#clients.delete(key);
    state?.ended.abort();
    for (const connection of state?.connections ?? []) connection.destroy();
  }

  dispose(): void {
    for (const address of this.#clients.keys()) this.remove(parseIpv4(address)!);
    this.#udp?.close();
    this.#tcp?.close();
    this.#udp = null;
    this.#tcp = null;
  }

  async #udpQuery(socket: UdpSocket, packet: Buffer, from: RemoteInfo): Promise<void> {
    const state = this.#clients.get(from.address);
    if (!state) return;
    const answer = await this.#answer(state, packet, true);
    if (answer && socket === this.#udp) socket.send(answer, from.port, from.address, () => {});
  }

  #tcpClient(socket: Socket): void {
    const state = this.#clients.get(socket.remoteAddress ?? "");
    socket.on("error", () => {});
    if (!state || state.connections.size >= MAX_TCP_CONNECTIONS) return void socket.destroy();
    state.connections.add(socket);
    socket.on("close", () => state.connections.delete(socket));
    socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
    const reply = async (packet: Buffer): Promise<void> => {
      const answer = await this.#answer(state, packet, false);
      if (answer && !socket.destroyed) socket.write(toTcpMessage(answer));
    };
    socket.on("data", splitTcpMessages({ message: (packet) => void reply(packet), invalid: () => socket.destroy() }, MAX_QUERY_BYTES));
  }

  async #answer(state: ClientState, packet: Buffer, overUdp: boolean): Promise<Buffer | null> {
    const question = readQuestion(packet);
    if (question === null || Buffer.isBuffer(question)) return question;
    const resolvers = this.#resolvers();
    const decision = decide(
      question,
      state.client.list,
      resolvers.flatMap(({ host }) => parseIpv4(host) ?? []),
    );
    if (decision.do === "answer") {
      if (decision.rcode === "refused") this.#tellOnce(state, question.name, "A name is refused: the container's allow list doesn't have it");
      return emptyAnswer(question, decision.rcode);
    }
    if (state.pending >= MAX_PENDING) return emptyAnswer(question, "serverFailure");
    state.pending++;
    try {
      const answer = await askResolvers(resolvers, question, this.#options.clock, state.ended.signal);
      if (!answer || state.ended.signal.aborted) return emptyAnswer(question, "serverFailure");
      return await this.#open(state, question, answer, overUdp);
    } catch (error) {
      this.#options.logger.warn({ containerId: state.client.containerId, name: question.name, error }, "A name's addresses can't be opened for a container");
      return emptyAnswer(question, "serverFailure");
    } finally {
      state.pending--;
    }
  }

  async #open(state: ClientState, question: DnsQuestion, answer: UpstreamAnswer, overUdp: boolean): Promise<Buffer> {
    const closed = answer.refused.filter((address) => !opens(state.client.list, address));
    if (closed.length > 0)
      this.#tellOnce(state, question.name, "A name leads to an address that isn't public: only a CIDR of the allow list opens it", closed.map(formatIpv4));
    // Names that only a range of the list lets through open nothing: what they may reach is open already.
    if (answer.addresses.length > 0 && state.client.list.domains.length > 0 && decide(question, state.client.list, []).do === "forward")
      await state.client.grant(answer.addresses, answer.ttlS);
    return toClientAnswer(question, answer, overUdp);
  }

  #tellOnce(state: ClientState, name: string, message: string, addresses: readonly string[] = []): void {
    // Bounded: a container can ask for any number of names.
    if (state.told.has(name) || state.told.size >= 100) return;
    state.told.add(name);
    this.#options.logger.info({ containerId: state.client.containerId, name, addresses }, message);
  }

  #resolvers(): ReturnType<typeof parseResolver>[] {
    return (this.#options.resolvers?.() ?? new SystemResolver().getServers()).map(parseResolver);
  }
}

/** What failed to listen holds nothing. */
function onPort<T>(port: number, open: (port: number) => Promise<T>): Promise<T> {
  return port === 0 ? open(0) : open(port).catch(() => open(0));
}
