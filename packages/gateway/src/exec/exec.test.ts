import { once } from "node:events";
import { PassThrough, Writable } from "node:stream";
import { FakeClock, silentLogger } from "@samovar/kit";
import { EXEC_STREAM, SamovarError, type ExecReply, type ExitStatus } from "@samovar/protocol";
import type { ExecCommand, ExecProcess } from "@samovar/scheduler";
import { WebSocket, type ClientOptions } from "ws";
import { afterEach, expect, test } from "vitest";
import { createAuthenticator } from "../authenticator.ts";
import { ADMIN_TOKEN, DEPLOY_TOKEN, INVOKE_TOKEN, TOKENS } from "../fakes.fixture.ts";
import { disposeGateways, startGateway, type TestGateway } from "../gateway.fixture.ts";
import { createExecUpgrade } from "./create-exec-upgrade.ts";

const clients: WebSocket[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.terminate();
  await disposeGateways();
});

/** A program that does as the test says. */
class FakeProgram implements ExecProcess {
  readonly received: Buffer[] = [];
  readonly did: string[] = [];
  readonly stdout = new PassThrough();
  readonly stderr: PassThrough | null;
  readonly stdin: Writable;
  readonly exited: Promise<ExitStatus>;
  readonly exit: (status: ExitStatus) => void;
  /** Set to hold its input up; call what it then is to take the chunk. */
  reads = true;
  take: () => void = () => {};
  #changed: () => void = () => {};

  constructor({ terminal }: ExecCommand) {
    this.stderr = terminal ? null : new PassThrough();
    this.stdin = new Writable({
      highWaterMark: 1_024,
      write: (chunk: Buffer, _encoding, done) => {
        this.received.push(chunk);
        this.#changed();
        if (this.reads) done();
        else this.take = done;
      },
      final: (done) => {
        this.did.push("end of input");
        this.#changed();
        done();
      },
    });
    const { promise, resolve } = Promise.withResolvers<ExitStatus>();
    this.exited = promise;
    this.exit = (status) => {
      this.stdout.end();
      this.stderr?.end();
      resolve(status);
    };
  }

  resize({ columns, rows }: { columns: number; rows: number }): void {
    this.did.push(`resize ${columns}x${rows}`);
    this.#changed();
  }

  kill(signal: string): void {
    this.did.push(signal);
    this.#changed();
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#changed = resolve));
  }

  get input(): string {
    return Buffer.concat(this.received).toString();
  }
}

interface Served extends TestGateway {
  readonly clock: FakeClock;
  readonly commands: [containerId: string, command: ExecCommand][];
  /** The next program that was asked for. */
  program(): Promise<FakeProgram>;
}

async function serve(refusal?: SamovarError): Promise<Served> {
  const clock = new FakeClock();
  const commands: Served["commands"] = [];
  const programs: FakeProgram[] = [];
  let wake = (): void => {};
  const exec = async (containerId: string, command: ExecCommand): Promise<ExecProcess> => {
    commands.push([containerId, command]);
    if (refusal) throw refusal;
    const program = new FakeProgram(command);
    programs.push(program);
    wake();
    return program;
  };
  const gateway = await startGateway([], {
    execUpgrade: createExecUpgrade({ control: { exec }, authenticator: createAuthenticator(TOKENS), clock, logger: silentLogger }),
  });
  const program = async (): Promise<FakeProgram> => {
    while (programs.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return programs.shift()!;
  };
  return { ...gateway, clock, commands, program };
}

interface Client {
  readonly socket: WebSocket;
  readonly replies: ExecReply[];
  readonly output: Record<number, string>;
  readonly closed: Promise<[code: number, reason: string]>;
  until(condition: () => boolean): Promise<void>;
}

function connect({ port }: TestGateway, options: ClientOptions = {}, protocols: readonly string[] = []): Client {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/containers/ct_1/exec`, [...protocols], {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    ...options,
  });
  clients.push(socket);
  const replies: ExecReply[] = [];
  const output: Record<number, string> = { 1: "", 2: "" };
  let changed = (): void => {};
  socket.on("message", (data: Buffer, isBinary: boolean) => {
    if (isBinary) output[data[0]!] += data.subarray(1).toString();
    else replies.push(JSON.parse(data.toString()) as ExecReply);
    changed();
  });
  socket.on("error", () => {});
  return {
    socket,
    replies,
    output,
    closed: new Promise((resolve) => socket.once("close", (code, reason) => resolve([code, reason.toString()]))),
    async until(condition) {
      while (!condition()) await new Promise<void>((resolve) => (changed = resolve));
    },
  };
}

async function run(served: Served, request: object = { argv: ["cat"] }, options: ClientOptions = {}): Promise<{ client: Client; program: FakeProgram }> {
  const client = connect(served, options);
  await once(client.socket, "open");
  client.socket.send(JSON.stringify(request));
  const program = await served.program();
  await client.until(() => client.replies.length > 0);
  return { client, program };
}

const input = (text: string): Buffer => Buffer.concat([Buffer.of(EXEC_STREAM.stdin), Buffer.from(text)]);

test("a program gets its input, and its client what it writes, by stream, and how it ended", async () => {
  const served = await serve();
  const { client, program } = await run(served, { argv: ["sort", "-r"], env: { A: "1" }, cwd: "/tmp" });
  expect(served.commands).toEqual([["ct_1", { argv: ["sort", "-r"], env: { A: "1" }, cwd: "/tmp", terminal: null }]]);
  client.socket.send(input("typed"));
  client.socket.send(input(""));
  await program.until(() => program.did.includes("end of input"));
  expect(program.input).toBe("typed");
  program.stdout.write("to out");
  program.stderr!.write("to err");
  program.exit({ kind: "exit", code: 3, signal: null });
  expect((await client.closed)[0]).toBe(1000);
  expect(client.output).toEqual({ 1: "to out", 2: "to err" });
  expect(client.replies).toEqual([{ type: "started" }, { type: "exit", code: 3, signal: null }]);
});

test.for([
  [
    { kind: "signal", code: null, signal: "SIGTERM" },
    { type: "exit", code: 143, signal: "SIGTERM" },
  ],
  [
    { kind: "lost", code: null, signal: null },
    { type: "failed", problem: { code: "container_lost" } },
  ],
] as const)("an end by %o is told as a shell does, or as not known", async ([status, reply]) => {
  const { client, program } = await run(await serve());
  program.exit(status);
  await client.closed;
  expect(client.replies.at(-1)).toMatchObject(reply);
});

test("sizes and signals reach it", async () => {
  const { client, program } = await run(await serve(), { argv: ["vi"], terminal: { columns: 80, rows: 24 } });
  client.socket.send(JSON.stringify({ type: "resize", columns: 100, rows: 30 }));
  client.socket.send(JSON.stringify({ type: "signal", signal: "SIGINT" }));
  await program.until(() => program.did.length === 2);
  expect(program.did).toEqual(["resize 100x30", "SIGINT"]);
});

test("what is sent before the program has started waits for it", async () => {
  const served = await serve();
  const client = connect(served);
  await once(client.socket, "open");
  for (const message of [JSON.stringify({ argv: ["cat"] }), input("early"), input("")]) client.socket.send(message);
  const program = await served.program();
  await program.until(() => program.did.includes("end of input"));
  expect(program.input).toBe("early");
});

test("a program that can't be run is told as a problem", async () => {
  const client = connect(await serve(new SamovarError("not_found", "No container with the id ct_1 lives")));
  await once(client.socket, "open");
  client.socket.send(JSON.stringify({ argv: ["ls"] }));
  await client.closed;
  expect(client.replies).toEqual([
    { type: "failed", problem: expect.objectContaining({ code: "not_found", status: 404, detail: "No container with the id ct_1 lives" }) },
  ]);
});

test.for([
  ["no token", {}, 401],
  ["an unknown token", { authorization: "Bearer wrong" }, 401],
  ["a token that may call", { authorization: `Bearer ${INVOKE_TOKEN}` }, 403],
  ["a token that may deploy", { authorization: `Bearer ${DEPLOY_TOKEN}` }, 403],
] as const)("%s is no way in", async ([, headers, status]) => {
  const client = connect(await serve(), { headers });
  const [, response] = (await once(client.socket, "unexpected-response")) as [unknown, { statusCode: number; resume(): void }];
  expect(response.statusCode).toBe(status);
  response.resume();
});

test("a browser's token comes as a subprotocol, and is not said back", async () => {
  const client = connect(await serve(), { headers: {} }, [`samovar.bearer.${ADMIN_TOKEN}`, "samovar.exec"]);
  await once(client.socket, "open");
  expect(client.socket.protocol).toBe("samovar.exec");
});

test.for([
  ["bytes in place of a request", Buffer.from("x"), "The first message is the request"],
  ["what is not JSON", "{", "is not JSON"],
  ["no program", JSON.stringify({ argv: [] }), "argv"],
  ["a zero byte in an argument", JSON.stringify({ argv: ["a\0b"] }), "argv"],
  ["an unknown key", JSON.stringify({ argv: ["ls"], tty: true }), '"tty"'],
  ["a variable that is none", JSON.stringify({ argv: ["ls"], env: { "A=B": "1" } }), "env"],
  ["a terminal without a size", JSON.stringify({ argv: ["ls"], terminal: {} }), "columns"],
  ["a terminal of no size", JSON.stringify({ argv: ["ls"], terminal: { columns: 0, rows: 1 } }), "columns"],
] as const)("%s closes the connection with a reason", async ([, message, reason]) => {
  const served = await serve();
  const client = connect(served);
  await once(client.socket, "open");
  client.socket.send(message);
  expect(await client.closed).toEqual([1008, expect.stringContaining(reason)]);
  expect(served.commands).toEqual([]);
});

test.for([
  ["bytes for another stream", Buffer.of(EXEC_STREAM.stdout, 1), "stdin"],
  ["an unknown message", JSON.stringify({ type: "dance" }), '"dance"'],
  ["an unknown signal", JSON.stringify({ type: "signal", signal: "SIGDANCE" }), '"SIGDANCE"'],
  ["a size that is none", JSON.stringify({ type: "resize", columns: 1.5, rows: 1 }), "columns"],
] as const)("%s closes the connection with a reason, and hangs the program up", async ([, message, reason]) => {
  const { client, program } = await run(await serve());
  client.socket.send(message);
  expect(await client.closed).toEqual([1008, expect.stringContaining(reason)]);
  await program.until(() => program.did.includes("SIGHUP"));
});

test("bytes after the end of the input close the connection", async () => {
  const { client } = await run(await serve());
  client.socket.send(input(""));
  client.socket.send(input("more"));
  expect(await client.closed).toEqual([1008, expect.stringContaining("after its end")]);
});

test("a message over the limit closes the connection", async () => {
  const { client, program } = await run(await serve());
  client.socket.send(Buffer.alloc(1024 * 1024 + 1));
  expect((await client.closed)[0]).toBe(1009);
  await program.until(() => program.did.includes("SIGHUP"));
});

test("a client that says nothing is let go after 10 s", async () => {
  const served = await serve();
  const client = connect(served);
  await once(client.socket, "open");
  served.clock.advance(10_000);
  expect(await client.closed).toEqual([1008, "The request did not come within 10 s"]);
});

test("a program whose client hung up gets SIGHUP, and SIGKILL 5 s after when it goes on", async () => {
  const served = await serve();
  const [one, two] = [await run(served), await run(served)];
  one.client.socket.terminate();
  two.client.socket.close();
  for (const { program } of [one, two]) await program.until(() => program.did.includes("SIGHUP"));
  one.program.exit({ kind: "signal", code: null, signal: "SIGHUP" });
  await one.program.exited;
  served.clock.advance(5_000);
  expect(one.program.did).toEqual(["SIGHUP"]);
  expect(two.program.did).toEqual(["SIGHUP", "SIGKILL"]);
  expect(two.program.stdout.destroyed).toBe(true);
});

test("a client that answers no ping is gone", async () => {
  const served = await serve();
  const deaf = await run(served, { argv: ["cat"] }, { autoPong: false });
  const alive = await run(served);
  const pings = [once(deaf.client.socket, "ping"), once(alive.client.socket, "ping")];
  served.clock.advance(20_000);
  await Promise.all(pings);
  // What it says after the ping was read after its answer to the ping.
  alive.client.socket.send(JSON.stringify({ type: "signal", signal: "SIGUSR1" }));
  await alive.program.until(() => alive.program.did.length === 1);
  served.clock.advance(20_000);
  await deaf.client.closed;
  await deaf.program.until(() => deaf.program.did.includes("SIGHUP"));
  expect(alive.program.did).toEqual(["SIGUSR1"]);
});

test("a program is held up while its client reads nothing", async () => {
  const { client, program } = await run(await serve());
  client.socket.pause();
  const chunk = Buffer.alloc(64 * 1024, "x");
  let written = 0;
  // Until what lies between the two is full, which is a few MiB of the kernel's.
  while (program.stdout.write(chunk) || (await Promise.race([once(program.stdout, "drain").then(() => true), settled(program)]))) written++;
  expect(written).toBeLessThan(1_000);
  client.socket.resume();
  program.exit({ kind: "exit", code: 0, signal: null });
  await client.closed;
  expect(client.output[1]!.length).toBe((written + 1) * chunk.length);
});

test("a client is held up while the program reads nothing, and not taken for gone", async () => {
  const served = await serve();
  const { client, program } = await run(served);
  program.reads = false;
  const chunk = Buffer.concat([Buffer.of(EXEC_STREAM.stdin), Buffer.alloc(64 * 1024, "x")]);
  for (let i = 0; i < 500; i++) client.socket.send(chunk);
  await program.until(() => program.received.length === 1);
  // The heartbeat's two turns: it can't be heard now.
  served.clock.advance(20_000);
  served.clock.advance(20_000);
  expect(client.socket.bufferedAmount).toBeGreaterThan(10 * 1024 * 1024);
  expect(program.stdin.writableLength).toBeLessThan(2 * 1024 * 1024);
  program.reads = true;
  program.take();
  await program.until(() => program.received.length === 500);
  expect(program.input.length).toBe(500 * 64 * 1024);
});

test("the end of the gateway ends it", async () => {
  const served = await serve();
  const { client, program } = await run(served);
  await served.gateway.dispose({ graceMs: 0 });
  expect((await client.closed)[0]).toBe(1006);
  await program.until(() => program.did.includes("SIGHUP"));
});

/** False when nothing of the program's output has moved for many turns of the event loop. */
async function settled(program: FakeProgram): Promise<boolean> {
  for (let turn = 0; turn < 200; turn++) {
    const before = program.stdout.writableLength + program.stdout.readableLength;
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (program.stdout.writableLength + program.stdout.readableLength !== before) turn = 0;
  }
  return false;
}
