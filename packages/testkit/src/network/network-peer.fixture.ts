import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { decode, encode } from "dns-packet";

/**
 * What stands outside: on TCP and UDP port 80 of all its addresses it says at which one it was reached and from where;
 * on port 53 it knows names. Arguments: its addresses, divided by commas; the one for names; the names, `name=address[,address]`.
 */
const [own, resolver, ...known] = process.argv.slice(2) as [string, string, ...string[]];
const names = new Map(
  known.map((argument) => {
    const [name, addresses] = argument.split("=") as [string, string];
    return [name, addresses.split(",")];
  }),
);

const tcp = createServer((socket) => {
  socket.on("error", () => {});
  socket.on("data", (data) => socket.write(`echo ${data.toString()}`));
  socket.write(`${socket.localAddress} saw ${socket.remoteAddress}`);
});
// UDP sockets for all addresses would answer from another one than was asked.
const udp = own.split(",").map((address) => {
  const socket = createSocket("udp4").on("message", (_packet, from) => socket.send(`udp saw ${from.address}`, from.port, from.address));
  return new Promise<void>((resolve) => void socket.bind(80, address, resolve));
});

function answer(packet: Buffer, overTcp: boolean): Buffer {
  const { id, questions } = decode(packet);
  const question = questions![0]!;
  const addresses = names.get(question.name.toLowerCase());
  const many = question.name.startsWith("many.");
  if (many && !overTcp) return encode({ type: "response", id: id!, flags: 0x0200 | 0x0180, questions: [question] });
  return encode({
    type: "response",
    id: id!,
    flags: 0x0180 | (addresses ? 0 : 3),
    questions: [question],
    answers: question.type === "A" && addresses ? addresses.map((data) => ({ type: "A", name: question.name, ttl: 1, data })) : [],
  });
}
const dns = createSocket("udp4").on("message", (packet, from) => dns.send(answer(packet, false), from.port, from.address));
const dnsTcp = createServer((socket) => {
  socket.on("error", () => {});
  socket.on("data", (data: Buffer) => {
    const reply = answer(data.subarray(2), true);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(reply.length);
    socket.write(Buffer.concat([length, reply]));
  });
});

await Promise.all([
  new Promise<void>((resolve) => tcp.listen(80, "0.0.0.0", resolve)),
  new Promise<void>((resolve) => dnsTcp.listen(53, "0.0.0.0", resolve)),
  ...udp,
  new Promise<void>((resolve) => void dns.bind(53, resolver, resolve)),
]);
process.on("disconnect", () => process.exit());
process.send!({ ready: true });
