import { constants } from "node:os";
import type { Readable } from "node:stream";
import type { WebSocket } from "ws";
import { EXEC_STREAM, SamovarError, type ExecReply, type ExitStatus } from "@samovar/protocol";
import type { ExecCommand, ExecProcess } from "@samovar/scheduler";
import { toProblem, toSamovarError } from "../problem.ts";
import type { ExecUpgradeOptions } from "./create-exec-upgrade.ts";
import { parseExecRequest, parseExecSignal } from "./exec-messages.ts";

/** A client has this long to say what it wants. */
const REQUEST_MS = 10_000;
/** A client that has said nothing and answered no ping for this long is gone. */
const HEARTBEAT_MS = 20_000;
/** Between the hang-up and the end by force. */
const HANG_UP_MS = 5_000;
/** Of a WebSocket's reason for its close. */
const MAX_REASON_BYTES = 123;
const NORMAL = 1000;
const POLICY = 1008;

/**
 * One program for one client.
 *
 * States: waiting (for the request) → starting → running → told (exit or failure was sent) → closed. A client that goes
 * closes it from any state: the program is hung up (SIGHUP), and killed when it goes on for 5 s. What the client sends
 * while the program starts waits for it.
 *
 * Neither side buffers for the other: a chunk of output is read when the one before it has left, and the socket is not
 * read while the program's input is full.
 */
export class ExecConnection {
  readonly #socket: WebSocket;
  readonly #containerId: string;
  readonly #options: ExecUpgradeOptions;
  #state: "waiting" | "starting" | "running" | "told" | "closed" = "waiting";
  #exec: ExecProcess | null = null;
  /** What came while the program was starting. */
  #early: [data: Buffer, isBinary: boolean][] = [];
  /** The program's input takes no more for now; then nothing is heard of the client either. */
  #held = false;
  #heard = true;
  #inputEnded = false;
  #cancelTimer: () => void;

  constructor(socket: WebSocket, containerId: string, options: ExecUpgradeOptions) {
    this.#socket = socket;
    this.#containerId = containerId;
    this.#options = options;
    socket.binaryType = "nodebuffer";
    socket.on("message", (data: Buffer, isBinary: boolean) => this.#onMessage(data, isBinary));
    socket.on("pong", () => (this.#heard = true));
    socket.on("close", () => this.#onClose());
    // Told by `close`, too: a malformed frame, a message over the limit, a connection that broke.
    socket.on("error", () => {});
    this.#cancelTimer = options.clock.after(REQUEST_MS, () => this.#refuse(`The request did not come within ${REQUEST_MS / 1_000} s`));
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    this.#heard = true;
    try {
      if (this.#state === "waiting") return this.#begin(data, isBinary);
      if (this.#state === "starting") return void this.#early.push([data, isBinary]);
      if (this.#state !== "running") return;
      if (isBinary) return this.#takeInput(data);
      const message = parseExecSignal(data.toString());
      if (message.type === "resize") this.#exec!.resize({ columns: message.columns, rows: message.rows });
      else this.#exec!.kill(message.signal);
    } catch (error) {
      this.#refuse(toSamovarError(error).message);
    }
  }

  #begin(data: Buffer, isBinary: boolean): void {
    if (isBinary) throw new SamovarError("invalid_request", "The first message is the request, as text");
    const command = parseExecRequest(data.toString());
    this.#state = "starting";
    this.#cancelTimer();
    this.#beat();
    // What was read from the socket already still comes; it is little.
    this.#socket.pause();
    void this.#run(command);
  }

  async #run(command: ExecCommand): Promise<void> {
    try {
      const exec = await this.#options.control.exec(this.#containerId, command);
      if (this.#isClosed) return hangUp(exec, this.#options);
      this.#exec = exec;
      this.#state = "running";
      exec.stdin.on("drain", () => this.#release());
      // A program need not read what it is sent, and may end before it has.
      exec.stdin.on("error", () => this.#release());
      exec.stdin.on("close", () => this.#release());
      this.#tell({ type: "started" });
      this.#socket.resume();
      for (const [data, isBinary] of this.#early.splice(0)) this.#onMessage(data, isBinary);
      const [exit] = await Promise.all([
        exec.exited,
        this.#forward(EXEC_STREAM.stdout, exec.stdout),
        exec.stderr && this.#forward(EXEC_STREAM.stderr, exec.stderr),
      ]);
      this.#finish(toReply(exit));
    } catch (thrown) {
      const error = toSamovarError(thrown);
      if (error.code === "internal") this.#options.logger.error({ containerId: this.#containerId, error: thrown }, "A program could not be run in a container");
      this.#finish({ type: "failed", problem: { ...toProblem(error) } });
    }
  }

  #takeInput(data: Buffer): void {
    if (data[0] !== EXEC_STREAM.stdin)
      throw new SamovarError("invalid_request", `A client's bytes go to stdin, which is ${EXEC_STREAM.stdin}; these are for ${data[0]}`);
    const { stdin } = this.#exec!;
    if (this.#inputEnded) throw new SamovarError("invalid_request", "Bytes came for stdin after its end");
    if (data.length === 1) {
      this.#inputEnded = true;
      stdin.end();
    } else if (stdin.writable && !stdin.write(data.subarray(1))) {
      this.#held = true;
      this.#socket.pause();
    }
  }

  #release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#heard = true;
    this.#socket.resume();
  }

  async #forward(stream: number, output: Readable): Promise<void> {
    try {
      for await (const chunk of output as AsyncIterable<Buffer>) await this.#send(Buffer.concat([Buffer.of(stream), chunk]));
    } catch {
      // Given up, because the client is gone.
    }
  }

  /** Resolves when it has left this process, or never will. */
  #send(data: Buffer | string): Promise<void> {
    return new Promise((resolve) => this.#socket.send(data, () => resolve()));
  }

  #tell(reply: ExecReply): void {
    void this.#send(JSON.stringify(reply));
  }

  #finish(reply: ExecReply): void {
    if (this.#isClosed) return;
    this.#state = "told";
    this.#tell(reply);
    // Its answer to the close must be read, whatever was held back before.
    this.#socket.resume();
    this.#socket.close(NORMAL);
  }

  #refuse(reason: string): void {
    this.#socket.resume();
    this.#socket.close(POLICY, cut(reason));
    // Nothing more is asked of it, and it need not have heard: the program's end does not wait for it.
    this.#onClose();
  }

  #beat(): void {
    this.#cancelTimer = this.#options.clock.after(HEARTBEAT_MS, () => {
      // While it is not read, it can't be heard.
      if (!this.#heard && !this.#held && this.#state === "running") return this.#socket.terminate();
      this.#heard = false;
      this.#socket.ping();
      this.#beat();
    });
  }

  get #isClosed(): boolean {
    return this.#state === "closed";
  }

  #onClose(): void {
    if (this.#isClosed) return;
    const wasRunning = this.#state === "running";
    this.#state = "closed";
    this.#cancelTimer();
    this.#early = [];
    if (wasRunning) hangUp(this.#exec!, this.#options);
  }
}

/** Nobody reads its output any more, and it is told so; what does not end by that is ended. */
function hangUp(exec: ExecProcess, { clock }: ExecUpgradeOptions): void {
  exec.kill("SIGHUP");
  exec.stdin.destroy();
  exec.stdout.destroy();
  exec.stderr?.destroy();
  const cancel = clock.after(HANG_UP_MS, () => exec.kill("SIGKILL"));
  void exec.exited.then(cancel);
}

/** As a shell tells it. */
export function toReply(exit: ExitStatus): ExecReply {
  if (exit.kind === "lost") {
    const error = new SamovarError("container_lost", "How the program ended is not known: what held it was lost");
    return { type: "failed", problem: { ...toProblem(error) } };
  }
  if (exit.signal === null) return { type: "exit", code: exit.code ?? 0, signal: null };
  const number = (constants.signals as Record<string, number>)[exit.signal] ?? 0;
  return { type: "exit", code: 128 + number, signal: exit.signal };
}

/** Cut to what a close may carry, at a character's border. */
function cut(reason: string): string {
  const bytes = Buffer.from(reason);
  return bytes.length <= MAX_REASON_BYTES ? reason : new TextDecoder().decode(bytes.subarray(0, MAX_REASON_BYTES), { stream: true });
}
