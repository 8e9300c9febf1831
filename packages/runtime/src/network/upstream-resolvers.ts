import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import type { Clock } from "@samovar/kit";
import { readAnswer, toUpstreamQuery, type DnsQuestion, type UpstreamAnswer } from "./dns-query.ts";
import { splitTcpMessages, toTcpMessage } from "./dns-tcp.ts";

export interface Resolver {
  readonly host: string;
  readonly port: number;
}

/** How long one resolver gets before the next is asked. Clients ask again after 5 s. */
const ATTEMPT_TIMEOUT_MS = 2_000;
const MAX_RESOLVERS = 3;

/** `1.2.3.4`, `1.2.3.4:5353`, `fe80::1`, `[fe80::1]:5353`, as `dns.getServers()` gives them. */
export function parseResolver(text: string): Resolver {
  const bracketed = /^\[([^\]]+)\]:(\d+)$/.exec(text) ?? /^([\d.]+):(\d+)$/.exec(text);
  return bracketed ? { host: bracketed[1]!, port: Number(bracketed[2]) } : { host: text, port: 53 };
}

/**
 * Asks the host's resolvers, one after another, until one answers otherwise than that it can't. Null when none did.
 * Each question has a socket, and so a port, of its own, which reads from this resolver alone.
 */
export async function askResolvers(resolvers: readonly Resolver[], question: DnsQuestion, clock: Clock, signal: AbortSignal): Promise<UpstreamAnswer | null> {
  let last: UpstreamAnswer | null = null;
  for (const resolver of resolvers.slice(0, MAX_RESOLVERS)) {
    if (signal.aborted) return null;
    let answer = await ask(askUdp, resolver, question, clock, signal);
    if (answer?.truncated) answer = (await ask(askTcp, resolver, question, clock, signal)) ?? null;
    if (answer && !answer.failed) return answer;
    last = answer ?? last;
  }
  return last;
}

interface Attempt {
  readonly resolver: Resolver;
  readonly query: Buffer;
  read(packet: Buffer): boolean;
  fail(): void;
}

/** Starts an attempt; what it returns ends it. */
type Transport = (attempt: Attempt) => () => void;

function ask(transport: Transport, resolver: Resolver, question: DnsQuestion, clock: Clock, signal: AbortSignal): Promise<UpstreamAnswer | null> {
  return new Promise((resolve) => {
    const id = randomInt(0x10000);
    let end: () => void = () => {};
    let over = false;
    const settle = (answer: UpstreamAnswer | null): void => {
      if (over) return;
      over = true;
      cancelTimer();
      signal.removeEventListener("abort", fail);
      end();
      resolve(answer);
    };
    const fail = (): void => settle(null);
    const cancelTimer = clock.after(ATTEMPT_TIMEOUT_MS, fail);
    signal.addEventListener("abort", fail, { once: true });
    end = transport({
      resolver,
      query: toUpstreamQuery(question, id),
      read: (packet) => {
        const answer = readAnswer(packet, question, id);
        if (answer) settle(answer);
        return answer !== null;
      },
      fail,
    });
    if (over) end();
  });
}

const askUdp: Transport = ({ resolver, query, read, fail }) => {
  const socket = createSocket(resolver.host.includes(":") ? "udp6" : "udp4");
  let open = true;
  socket.on("error", fail).on("message", (packet) => void read(packet));
  socket.connect(resolver.port, resolver.host, () => {
    if (open) socket.send(query);
  });
  return () => {
    if (open) socket.close();
    open = false;
  };
};

const askTcp: Transport = ({ resolver, query, read, fail }) => {
  const socket = connect(resolver.port, resolver.host);
  socket.on("error", fail).on("close", fail);
  socket.on("data", splitTcpMessages({ message: (packet) => void read(packet), invalid: fail }));
  socket.write(toTcpMessage(query));
  return () => socket.destroy();
};
