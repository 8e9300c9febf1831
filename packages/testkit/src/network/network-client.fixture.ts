import { createSocket } from "node:dgram";
import { once } from "node:events";
import { lookup, Resolver } from "node:dns/promises";
import { connect, createServer } from "node:net";
import { networkInterfaces } from "node:os";

/** What a container tries; each answer is one line: `ok …` or the error's code. */
const [what, ...args] = process.argv.slice(2) as [string, ...string[]];

const tries: Record<string, (...args: string[]) => Promise<string>> = {
  tcp: (host, port) =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(port), host);
      socket.on("error", reject);
      socket.on("data", (data) => {
        socket.destroy();
        resolve(data.toString());
      });
    }),
  udp: (host, port) =>
    new Promise((resolve, reject) => {
      const socket = createSocket(host!.includes(":") ? "udp6" : "udp4");
      // What became of a packet is told to whoever sends the next one.
      const send = (): void => socket.send("hello", (error) => (error ? reject(error) : void (again = setTimeout(send, 100))));
      let again: NodeJS.Timeout;
      socket.on("error", reject);
      socket.on("message", (data) => {
        clearTimeout(again);
        socket.close();
        resolve(data.toString());
      });
      socket.connect(Number(port), host, send);
    }),
  lookup: async (name) => (await lookup(name!, { family: 4, all: true })).map((each) => each.address).join(","),
  resolve: async (server, type, name) => {
    const resolver = new Resolver({ timeout: 3_000, tries: 1 });
    resolver.setServers([server!]);
    return JSON.stringify(await resolver.resolve(name!, type!));
  },
  links: async () => Object.keys(networkInterfaces()).join(","),
  /** Stays, and says whom it hears. */
  listen: (port) =>
    new Promise((resolve) => {
      const server = createServer((socket) => {
        resolve(`heard ${socket.remoteAddress}`);
        socket.destroy();
        server.close();
        process.disconnect?.();
      });
      server.listen(Number(port), "0.0.0.0", () => process.send?.({ ready: true }));
    }),
  /** Stays on these ports, until it is told to go. */
  occupy: (address, udpPort, tcpPort) =>
    new Promise((resolve) => {
      const udp = createSocket("udp4").bind(Number(udpPort), address);
      const tcp = createServer().listen(Number(tcpPort), address);
      void Promise.all([once(udp, "listening"), once(tcp, "listening")]).then(() => process.send!({ ready: true }));
      process.once("message", () => {
        udp.close();
        tcp.close();
        process.disconnect?.();
        resolve("gone");
      });
    }),
  /** Stays connected, and says something more when told to. */
  hold: (host, port) =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(port), host);
      socket.on("error", reject);
      let heard = "";
      socket.on("data", (data) => {
        heard += data.toString();
        if (heard.includes("echo")) {
          socket.destroy();
          process.disconnect?.();
          resolve(heard);
        } else process.send!({ ready: true });
      });
      process.once("message", () => socket.write("again"));
    }),
};

try {
  console.log(`ok ${await tries[what]!(...args)}`);
} catch (error) {
  console.log((error as { code?: string }).code ?? String(error));
  process.exit();
}
