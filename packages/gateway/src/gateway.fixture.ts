import { connect, type Socket } from "node:net";
import { createCountingIds } from "@samovar/protocol";
import { FakeClock, silentLogger } from "@samovar/kit";
import { createAuthenticator } from "./authenticator.ts";
import { ADMIN_TOKEN, FakeControl, TOKENS, createFakeTable, type FakeFunction } from "./fakes.fixture.ts";
import { createGateway, type Gateway, type GatewayOptions } from "./gateway.ts";

export interface TestGateway {
  readonly url: string;
  readonly port: number;
  readonly gateway: Gateway;
  readonly control: FakeControl;
  /** With the admin's token unless the headers say otherwise; `authorization: ""` sends none. */
  request(path: string, init?: RequestInit & { duplex?: "half" }): Promise<Response>;
}

const opened: Gateway[] = [];

/** A gateway on a real port, over fakes. `disposeGateways` ends all. */
export async function startGateway(functions: readonly FakeFunction[], options: Partial<GatewayOptions> = {}, host = "127.0.0.1"): Promise<TestGateway> {
  const control = new FakeControl();
  const gateway = createGateway({
    functions: createFakeTable(...functions),
    control,
    authenticator: createAuthenticator(TOKENS),
    ids: createCountingIds(),
    logger: silentLogger,
    ...options,
  });
  opened.push(gateway);
  const url = await gateway.listen(host, 0);
  return {
    url,
    port: Number(new URL(url).port),
    gateway,
    control,
    request(path, init = {}) {
      const headers = new Headers(init.headers);
      if (headers.get("authorization") === "") headers.delete("authorization");
      else if (!headers.has("authorization")) headers.set("authorization", `Bearer ${ADMIN_TOKEN}`);
      return fetch(url + path, { ...init, headers });
    },
  };
}

export async function disposeGateways(): Promise<void> {
  await Promise.all(opened.splice(0).map((gateway) => gateway.dispose({ graceMs: 0 })));
}

/** A bare socket to the gateway, for what no client library would send. */
export class RawClient {
  readonly socket: Socket;
  #text = "";
  #wake: (() => void) | null = null;
  #ended = false;

  constructor(port: number, host = "127.0.0.1") {
    this.socket = connect(port, host);
    this.socket.setEncoding("latin1");
    this.socket.on("data", (text: string) => {
      this.#text += text;
      this.#wake?.();
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.#ended = true;
      this.#wake?.();
    });
  }

  get received(): string {
    return this.#text;
  }

  /** The lines of a head, then the bytes of a body; or bytes alone. */
  send(head: readonly string[] | string, body = ""): this {
    this.socket.write((typeof head === "string" ? head : `${head.join("\r\n")}\r\n\r\n`) + body, "latin1");
    return this;
  }

  /** All that came, as soon as it matches; rejects if the connection ends before. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#text)) {
      if (this.#ended) throw new Error(`The connection ended before ${pattern}: ${JSON.stringify(this.#text.slice(0, 500))}`);
      await this.#change();
    }
    return this.#text;
  }

  /** All that came, when the server has closed. */
  async closed(): Promise<string> {
    while (!this.#ended) await this.#change();
    return this.#text;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}

/** A clock that stands still, and tells when someone begins to wait on it. */
export class WatchedClock extends FakeClock {
  #set: PromiseWithResolvers<void> = Promise.withResolvers();

  /** Resolves at the first timer that is set after the last one that was waited for; that may have been before. */
  async nextTimer(): Promise<void> {
    await this.#set.promise;
    this.#set = Promise.withResolvers();
  }

  override after(delayMs: number, run: () => void): () => void {
    const cancel = super.after(delayMs, run);
    this.#set.resolve();
    return cancel;
  }
}
