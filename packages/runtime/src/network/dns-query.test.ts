import { decode, encode, type Packet } from "dns-packet";
import { formatIpv4 } from "@samovar/protocol";
import { describe, expect, it } from "vitest";
import { toAllowList } from "./allow-list.ts";
import { decide, emptyAnswer, readAnswer, readQuestion, toClientAnswer, toUpstreamQuery, type DnsQuestion } from "./dns-query.ts";

const query = (packet: Partial<Packet> = {}): Buffer => encode({ type: "query", id: 7, questions: [{ type: "A", name: "example.com" }], ...packet });
const question = (packet: Partial<Packet> = {}): DnsQuestion => readQuestion(query(packet)) as DnsQuestion;
const rcodeOf = (packet: Buffer): number => packet.readUInt16BE(2) & 15;
const response = (packet: Partial<Packet>): Buffer => encode({ type: "response", id: 9, questions: [{ type: "A", name: "example.com" }], ...packet });

describe("questions", () => {
  it("are read with what the client takes", () => {
    expect(question()).toMatchObject({ id: 7, name: "example.com", type: "A", edns: false, maxAnswer: 512 });
    const opt = { type: "OPT" as const, name: "." as const, udpPayloadSize: 4_096, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] };
    expect(question({ additionals: [opt] })).toMatchObject({ edns: true, maxAnswer: 1_232 });
    expect(question({ additionals: [{ ...opt, udpPayloadSize: 100 }] })).toMatchObject({ maxAnswer: 512 });
  });

  it("that are answers, or too short, get no reply", () => {
    expect(readQuestion(encode({ type: "response", id: 7, questions: [{ type: "A", name: "example.com" }] }))).toBeNull();
    for (let length = 0; length < 12; length++) expect(readQuestion(query().subarray(0, length))).toBeNull();
  });

  it("that are broken, several, or of another kind are told so", () => {
    for (let length = 12; length < query().length; length++) expect(rcodeOf(readQuestion(query().subarray(0, length)) as Buffer)).toBe(1);
    expect(rcodeOf(readQuestion(query({ questions: [] })) as Buffer)).toBe(1);
    expect(
      rcodeOf(
        readQuestion(
          query({
            questions: [
              { type: "A", name: "a.example" },
              { type: "A", name: "b.example" },
            ],
          }),
        ) as Buffer,
      ),
    ).toBe(1);
    expect(rcodeOf(readQuestion(query({ questions: [{ type: "A", name: "a.example", class: "CH" }] })) as Buffer)).toBe(4);
    const update = query();
    update.writeUInt16BE(5 << 11, 2);
    expect(rcodeOf(readQuestion(update) as Buffer)).toBe(4);
    // A name that points to itself.
    const loop = Buffer.concat([query().subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]);
    expect(rcodeOf(readQuestion(loop) as Buffer)).toBe(1);
  });
});

describe("decisions", () => {
  const list = toAllowList(["example.com", "*.example.com"]);
  it.each([
    ["example.com", "A", "forward"],
    ["EXAMPLE.com", "A", "forward"],
    ["_mongodb._tcp.example.com", "SRV", "forward"],
    ["example.com", "AAAA", "none"],
    ["example.com", "AXFR", "refused"],
    ["other.com", "A", "refused"],
    ["other.com", "AAAA", "refused"],
    ["1.0.0.127.in-addr.arpa", "PTR", "refused"],
    ["a\0b.example.com", "A", "refused"],
    ["a b.example.com", "TXT", "refused"],
    ["", "NS", "refused"],
  ])("%j %s: %s", (name, type, done) => {
    expect(decide({ name, type }, list, [])).toEqual(done === "forward" ? { do: "forward" } : { do: "answer", rcode: done });
  });
});

describe("answers", () => {
  it("are those to the question, under its id", () => {
    const asked = question();
    expect(decode(toUpstreamQuery(asked, 9))).toMatchObject({ id: 9, flag_rd: true, questions: [{ name: "example.com", type: "A" }], additionals: [] });
    expect(readAnswer(response({}), asked, 9)).toMatchObject({ addresses: [], truncated: false, failed: false });
    expect(readAnswer(response({}), asked, 8)).toBeNull();
    expect(readAnswer(response({ questions: [{ type: "A", name: "other.com" }] }), asked, 9)).toBeNull();
    expect(readAnswer(response({ questions: [{ type: "TXT", name: "example.com" }] }), asked, 9)).toBeNull();
    expect(readAnswer(query({ id: 9 }), asked, 9)).toBeNull();
    expect(readAnswer(Buffer.alloc(3), asked, 9)).toBeNull();
  });

  it("open their public addresses for the shortest of their times", () => {
    const packet = response({
      answers: [
        { type: "CNAME", name: "example.com", ttl: 1, data: "cdn.example" },
        { type: "A", name: "cdn.example", ttl: 300, data: "198.51.100.1" },
        { type: "A", name: "cdn.example", ttl: 200, data: "10.0.0.1" },
      ],
    });
    const read = readAnswer(packet, question(), 9)!;
    expect({ ...read, addresses: read.addresses.map(formatIpv4), refused: read.refused.map(formatIpv4) }).toMatchObject({
      addresses: ["198.51.100.1"],
      refused: ["10.0.0.1"],
      ttlS: 200,
    });
    const passed = decode(toClientAnswer(question(), read, true));
    expect([passed.id, passed.answers!.length]).toEqual([7, 3]);
  });

  it("that are too long for UDP are cut, and whole over TCP", () => {
    const answers = Array.from({ length: 60 }, (_, index) => ({ type: "A" as const, name: "example.com", ttl: 1, data: `198.51.100.${index}` }));
    const read = readAnswer(response({ answers }), question(), 9)!;
    expect(decode(toClientAnswer(question(), read, true))).toMatchObject({ id: 7, flag_tc: true, answers: [] });
    expect(decode(toClientAnswer(question(), read, false))).toMatchObject({ flag_tc: false, answers: { length: 60 } });
  });

  it("that failed are known, and made", () => {
    expect(readAnswer(response({ flags: 2 }), question(), 9)).toMatchObject({ failed: true });
    expect(readAnswer(response({ flags: 3 }), question(), 9)).toMatchObject({ failed: false });
    expect(rcodeOf(emptyAnswer(question(), "refused"))).toBe(5);
    expect(decode(emptyAnswer(question(), "none"))).toMatchObject({ id: 7, type: "response", questions: [{ name: "example.com" }] });
  });
});
