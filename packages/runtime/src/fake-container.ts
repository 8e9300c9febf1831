import type { Duplex } from "node:stream";
import type { ExitStatus } from "@samovar/protocol";
import { createConnectedPair, type ConnectedPair } from "./connected-pair.ts";
import type { ContainerEvents, ContainerSpec } from "./driver.ts";

/** A process that is none: it has a pid, a connection to the server, and a signal that tells it to be gone. */
export interface FakeProcess {
  readonly pid: number;
  readonly connection: Duplex;
  /** Aborted when the process has ended, with its `ExitStatus` where it had one: what plays it must do nothing any more. */
  readonly ended: AbortSignal;
}

/** What the code that plays worker 0 may do to its surroundings. */
export interface FakeWorkerControl {
  readonly pid: number;
  readonly ended: AbortSignal;
  output(stream: "stdout" | "stderr", text: string): void;
  /** SIGTERM arrived. Without a listener the process ends by it. */
  onTerminate(listener: () => void): void;
  /** Another worker: a process with its own connection. */
  fork(): FakeProcess;
  /** The main process ends by itself. */
  exit(code?: number): void;
}

/** Plays worker 0 of a container: the runner's core over this connection, in this process. Rejecting ends it with code 1. */
export type RunWorker = (spec: ContainerSpec, connection: Duplex, control: FakeWorkerControl) => void | Promise<void>;

/** What a test does to a container. */
export interface FakeContainerControl {
  readonly spec: ContainerSpec;
  /** Of the processes that live, the main one first. */
  readonly pids: readonly number[];
  /** The main process ends: by a signal where one is given, else with this code. With a pid another one does. */
  crash(how: { readonly code?: number; readonly signal?: string; readonly pid?: number }): void;
  outOfMemory(pid?: number): void;
  /** Gone without a word, like a host that vanished. */
  lose(): void;
  /** Blocks all event loops: no frame is read or answered, no SIGTERM noticed, until `thaw` or an end. */
  freeze(): void;
  thaw(): void;
  /** These bytes reach the server on the main process's connection. */
  sendGarbage(bytes: Uint8Array): void;
}

interface Member extends FakeProcess {
  readonly pair: ConnectedPair;
  readonly abort: AbortController;
}

export interface FakeContainerOptions {
  readonly spec: ContainerSpec;
  readonly events: ContainerEvents;
  readonly runWorker: RunWorker;
  nextPid(): number;
  accept(connection: Duplex, spec: ContainerSpec): void;
}

/**
 * States: created (the process exists, nothing runs in it) → running (`boot`) → ended (any end of the main process;
 * told by `mainExited`). A frozen one is running and holds everything back.
 */
export class FakeContainer implements FakeContainerControl {
  readonly spec: ContainerSpec;
  readonly mainPid: number;
  oomKills = 0;
  readonly #options: FakeContainerOptions;
  readonly #members = new Map<number, Member>();
  readonly #onTerminate: (() => void)[] = [];
  #terminations = 0;
  #frozen = false;
  #ended = false;
  /** After `kill` nothing is told any more. */
  #silent = false;

  constructor(options: FakeContainerOptions) {
    this.spec = options.spec;
    this.#options = options;
    this.mainPid = options.nextPid();
    this.#addMember(this.mainPid);
  }

  get pids(): readonly number[] {
    return [...this.#members.keys()];
  }

  /** The main process gets to the point where it connects. */
  boot(): void {
    const main = this.#members.get(this.mainPid);
    if (!main) return;
    const control: FakeWorkerControl = {
      pid: main.pid,
      ended: main.ended,
      output: (stream, text) => this.#output(stream, text),
      onTerminate: (listener) => void this.#onTerminate.push(listener),
      fork: () => this.#fork(),
      exit: (code = 0) => this.#end(main, { kind: "exit", code, signal: null }),
    };
    this.#options.accept(main.pair.ends[0], this.spec);
    void (async () => {
      try {
        await this.#options.runWorker(this.spec, main.connection, control);
      } catch (error) {
        this.#output("stderr", `${(error as Error).stack ?? String(error)}\n`);
        control.exit(1);
      }
    })();
  }

  terminate(): void {
    if (this.#ended) return;
    this.#terminations++;
    if (!this.#frozen) this.#deliverTerminations();
  }

  kill(): void {
    this.#endAll({ kind: "signal", code: null, signal: "SIGKILL" });
    for (const member of [...this.#members.values()]) this.#remove(member);
    this.#silent = true;
  }

  crash({ code = 1, signal, pid = this.mainPid }: { readonly code?: number; readonly signal?: string; readonly pid?: number }): void {
    const member = this.#members.get(pid);
    if (member) this.#end(member, signal === undefined ? { kind: "exit", code, signal: null } : { kind: "signal", code: null, signal });
  }

  outOfMemory(pid = this.mainPid): void {
    const member = this.#members.get(pid);
    if (!member) return;
    this.oomKills++;
    this.#end(member, { kind: "oom", code: null, signal: "SIGKILL" });
  }

  lose(): void {
    this.#endAll({ kind: "lost", code: null, signal: null });
    for (const member of [...this.#members.values()]) this.#remove(member);
  }

  freeze(): void {
    this.#frozen = true;
    for (const { pair } of this.#members.values()) pair.hold();
  }

  thaw(): void {
    this.#frozen = false;
    for (const { pair } of this.#members.values()) pair.release();
    this.#deliverTerminations();
  }

  sendGarbage(bytes: Uint8Array): void {
    this.#members.get(this.mainPid)?.pair.inject(bytes);
  }

  #fork(): FakeProcess {
    if (this.#ended) throw new Error(`The main process of ${this.spec.containerId} has ended and can't fork`);
    const member = this.#addMember(this.#options.nextPid());
    if (this.#frozen) member.pair.hold();
    this.#options.accept(member.pair.ends[0], this.spec);
    return member;
  }

  #addMember(pid: number): Member {
    const pair = createConnectedPair();
    const abort = new AbortController();
    const member: Member = { pid, pair, abort, connection: pair.ends[1], ended: abort.signal };
    // The ends of what was killed break; nobody is left to hear of it.
    member.connection.on("error", () => {});
    this.#members.set(pid, member);
    return member;
  }

  #deliverTerminations(): void {
    for (; this.#terminations > 0 && !this.#ended; this.#terminations--) {
      if (this.#onTerminate.length === 0) this.#endAll({ kind: "signal", code: null, signal: "SIGTERM" });
      else for (const listener of [...this.#onTerminate]) listener();
    }
  }

  #endAll(exit: ExitStatus): void {
    const main = this.#members.get(this.mainPid);
    if (main) this.#end(main, exit);
  }

  #end(member: Member, exit: ExitStatus): void {
    if (!this.#members.has(member.pid)) return;
    this.#remove(member, exit);
    if (member.pid !== this.mainPid) return;
    this.#ended = true;
    this.#options.events.mainExited(exit);
  }

  #remove(member: Member, exit?: ExitStatus): void {
    this.#members.delete(member.pid);
    member.abort.abort(exit);
    member.connection.destroy();
  }

  #output(stream: "stdout" | "stderr", text: string): void {
    if (!this.#silent && !this.#ended) this.#options.events.output(stream, Buffer.from(text));
  }
}
