import { RECURSION_DESIRED, decode, encode, type DecodedPacket, type Question } from "dns-packet";
import { parseIpv4 } from "@samovar/protocol";
import { mayGrant, mayResolve, type AllowList } from "./allow-list.ts";

/** Answers over UDP are cut to what fits a packet on any path; the client then asks over TCP. */
export const MAX_UDP_ANSWER = 1_232;
const PLAIN_UDP_ANSWER = 512;

const RCODES = { formatError: 1, serverFailure: 2, notImplemented: 4, refused: 5 } as const;
const TRUNCATED = 0x0200;
const RECURSION_AVAILABLE = 0x0080;
const OPCODE_MASK = 0x7800;
const RCODE_MASK = 0x000f;
/** Whoever asks for a whole zone isn't resolving a name. */
const REFUSED_TYPES: ReadonlySet<string> = new Set(["AXFR", "IXFR"]);
/** Labels of hosts and of services. What else a name can hold would only serve to smuggle. */
const PLAIN_NAME = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;

export interface DnsQuestion {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  /** The client reads longer answers, and gets what belongs to them. */
  readonly edns: boolean;
  readonly maxAnswer: number;
  /** As it was read, for answers. */
  readonly question: Question;
}

export type Decision = { readonly do: "forward" } | { readonly do: "answer"; readonly rcode: keyof typeof RCODES | "none" };

/** The packet's one question; an answer where it is not one; null where it deserves none. */
export function readQuestion(packet: Buffer): DnsQuestion | Buffer | null {
  // Too short, or itself an answer: replying to those is how two servers keep each other busy.
  if (packet.length < 12 || (packet.readUInt16BE(2) & 0x8000) !== 0) return null;
  const decoded = tryDecode(packet);
  const question = decoded?.questions?.[0];
  const id = packet.readUInt16BE(0);
  if (!decoded || !question || decoded.questions!.length !== 1) return answer(id, [], RCODES.formatError);
  if ((packet.readUInt16BE(2) & OPCODE_MASK) !== 0 || (question.class ?? "IN") !== "IN") return answer(id, [question], RCODES.notImplemented);
  const opt = decoded.additionals?.find((each) => each.type === "OPT");
  const size = opt?.type === "OPT" ? opt.udpPayloadSize : 0;
  return {
    id,
    name: question.name,
    type: question.type,
    edns: opt !== undefined,
    maxAnswer: Math.min(MAX_UDP_ANSWER, Math.max(PLAIN_UDP_ANSWER, size)),
    question,
  };
}

/** Pure: what is done with a question of a container with this list. */
export function decide(question: Pick<DnsQuestion, "name" | "type">, list: AllowList, resolvers: readonly number[]): Decision {
  const name = question.name.toLowerCase();
  if (!PLAIN_NAME.test(name) || REFUSED_TYPES.has(question.type) || !mayResolve(list, name, resolvers)) return { do: "answer", rcode: "refused" };
  // There is no IPv6 in the container: an address of it would only be tried and fail.
  if (question.type === "AAAA") return { do: "answer", rcode: "none" };
  return { do: "forward" };
}

export function toUpstreamQuery(question: DnsQuestion, id: number): Buffer {
  return encode({
    type: "query",
    id,
    flags: RECURSION_DESIRED,
    questions: [question.question],
    ...(question.edns
      ? { additionals: [{ type: "OPT", name: ".", udpPayloadSize: MAX_UDP_ANSWER, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] }] }
      : {}),
  });
}

export interface UpstreamAnswer {
  readonly truncated: boolean;
  readonly failed: boolean;
  /** IPv4 addresses that it opens, and for how long. */
  readonly addresses: readonly number[];
  readonly ttlS: number;
  /** Addresses in it that names don't open. */
  readonly refused: readonly number[];
  readonly packet: Buffer;
}

/** Null where the packet is not the answer to this question. */
export function readAnswer(packet: Buffer, question: DnsQuestion, id: number): UpstreamAnswer | null {
  const decoded = packet.length >= 12 && packet.readUInt16BE(0) === id ? tryDecode(packet) : null;
  const asked = decoded?.questions?.[0];
  if (decoded?.type !== "response" || asked?.name.toLowerCase() !== question.name.toLowerCase() || asked.type !== question.type) return null;
  const flags = packet.readUInt16BE(2);
  const rcode = flags & RCODE_MASK;
  const all: number[] = [];
  let ttlS = Infinity;
  for (const record of decoded.answers ?? []) {
    if (record.type !== "A") continue;
    const address = parseIpv4(record.data);
    if (address === null) continue;
    all.push(address);
    ttlS = Math.min(ttlS, record.ttl ?? 0);
  }
  return {
    truncated: (flags & TRUNCATED) !== 0,
    failed: rcode === RCODES.serverFailure || rcode === RCODES.notImplemented || rcode === RCODES.refused,
    addresses: all.filter((address) => mayGrant(address)),
    refused: all.filter((address) => !mayGrant(address)),
    ttlS: ttlS === Infinity ? 0 : ttlS,
    packet,
  };
}

/** The upstream's own bytes under the client's id; over UDP only its head where it is too long. */
export function toClientAnswer(question: DnsQuestion, { packet }: UpstreamAnswer, overUdp: boolean): Buffer {
  if (overUdp && packet.length > question.maxAnswer) return answer(question.id, [question.question], 0, TRUNCATED);
  const copy = Buffer.from(packet);
  copy.writeUInt16BE(question.id, 0);
  return copy;
}

export function emptyAnswer({ id, question }: DnsQuestion, rcode: keyof typeof RCODES | "none"): Buffer {
  return answer(id, [question], rcode === "none" ? 0 : RCODES[rcode]);
}

function answer(id: number, questions: Question[], rcode: number, flags = 0): Buffer {
  return encode({ type: "response", id, flags: RECURSION_DESIRED | RECURSION_AVAILABLE | flags | rcode, questions });
}

function tryDecode(packet: Buffer): DecodedPacket | null {
  try {
    return decode(packet);
  } catch {
    return null;
  }
}
