import { createServer, type AddressInfo, type Server, type Socket } from "node:net";

/**
 * How a test hears of what happens in processes that it did not start: code in a container connects here, says a word
 * and keeps the connection, which the kernel closes with the process, however that ends. `APP_LIFELINE` is the other
 * end, to be pasted into an app: `await lifeline("word")` resolves when the test calls `go`.
 */
export class Lifelines {
  readonly #server: Server;
  readonly #lines: { readonly word: string; readonly who: string; readonly socket: Socket }[] = [];
  readonly #waiting = new Set<() => void>();

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket) => {
      let text = "";
      socket.setEncoding("utf8");
      socket.on("error", () => {});
      socket.on("data", (chunk: string) => {
        text += chunk;
        const said = /^(\S+) (.*)\n/.exec(text);
        if (!said) return;
        this.#lines.push({ word: said[2]!, who: said[1]!, socket });
        text = "";
        for (const look of [...this.#waiting]) look();
      });
    });
  }

  static async listen(): Promise<Lifelines> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Lifelines(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The next one that says this word, taken out of the list. */
  next(word: string): Promise<Lifeline> {
    return new Promise((resolve) => {
      const look = (): void => {
        const at = this.#lines.findIndex((line) => line.word === word);
        if (at < 0) return;
        this.#waiting.delete(look);
        const { who, socket } = this.#lines.splice(at, 1)[0]!;
        resolve({
          who,
          ended: new Promise((ended) => (socket.closed ? ended() : socket.once("close", () => ended()))),
          go: () => void socket.write("go\n"),
        });
      };
      this.#waiting.add(look);
      look();
    });
  }

  dispose(): void {
    this.#server.close();
    for (const { socket } of this.#lines) socket.destroy();
  }
}

export interface Lifeline {
  /** Tells processes apart: in a container of its own each has the same number. */
  readonly who: string;
  /** The process is gone. */
  readonly ended: Promise<void>;
  /** Lets the code that waits at `lifeline` go on. */
  go(): void;
}

/** For an app's source. Standing in the code of a container, never at the top of the module, which loads elsewhere too. */
export const APP_LIFELINE = `
import { connect } from "node:net";
import { hostname } from "node:os";
const who = () => hostname() + ":" + process.pid;
const lifeline = (word) => new Promise((resolve) => {
  const socket = connect(Number(process.env.LIFELINE), "127.0.0.1", () => socket.write(who() + " " + word + "\\n"));
  socket.once("data", () => resolve(undefined));
  socket.on("error", () => {});
});
`;
