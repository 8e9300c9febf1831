import { Duplex } from "node:stream";

/** Two ends of a connection in memory, which close as a socket's do. */
export interface ConnectedPair {
  readonly ends: readonly [Duplex, Duplex];
  /** Nothing arrives at either end until `release`; what is written meanwhile waits. */
  hold(): void;
  release(): void;
  /** These bytes arrive at the first end as if the second had written them, held or not. */
  inject(bytes: Uint8Array): void;
}

export function createConnectedPair(): ConnectedPair {
  const a = new PairEnd();
  const b = new PairEnd();
  a.connect(b);
  b.connect(a);
  return {
    ends: [a, b],
    hold() {
      a.hold();
      b.hold();
    },
    release() {
      a.release();
      b.release();
    },
    inject: (bytes) => a.inject(bytes),
  };
}

interface Arrival {
  /** Null: the peer has ended its side. */
  readonly chunk: Buffer | null;
  readonly done: () => void;
}

/**
 * One end. A chunk goes: written → arriving (not yet, or held) → read. A write is done when the peer has taken it,
 * so a peer that does not read holds up the writer, as with a socket whose buffers are full.
 *
 * States: open → half closed (one side ended) → closed. Destroying one end ends the other, whether held or not.
 */
class PairEnd extends Duplex {
  #peer: PairEnd | null = null;
  #arriving: Arrival[] = [];
  #held = false;
  /** The reader wants more; starts true so that the first chunk is not waited for. */
  #wanted = true;
  #scheduled = false;
  /** The peer's end was pushed. */
  #ended = false;

  constructor() {
    super({ allowHalfOpen: false });
  }

  connect(peer: PairEnd): void {
    this.#peer = peer;
  }

  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#schedule();
  }

  inject(bytes: Uint8Array): void {
    if (!this.destroyed && !this.#ended) this.push(Buffer.from(bytes));
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#peer!.destroyed) done(Object.assign(new Error("write EPIPE: the other end is closed"), { code: "EPIPE" }));
    else this.#peer!.#arrive({ chunk, done });
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#peer!.destroyed) done();
    else this.#peer!.#arrive({ chunk: null, done });
  }

  override _read(): void {
    this.#wanted = true;
    this.#schedule();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const peer = this.#peer!;
    for (const { done: taken } of this.#arriving.splice(0)) taken();
    done(error);
    // What this end has not read is lost; what it wrote still arrives, as when a process is killed.
    if (!peer.destroyed) queueMicrotask(() => peer.#end());
  }

  #end(): void {
    this.#held = false;
    this.#arriving.push({ chunk: null, done: () => {} });
    this.#schedule();
  }

  #arrive(arrival: Arrival): void {
    this.#arriving.push(arrival);
    this.#schedule();
  }

  /** Later, never inside a write: a socket does not call its peer either. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    while (!this.destroyed && !this.#ended && !this.#held && this.#wanted && this.#arriving.length > 0) {
      const { chunk, done } = this.#arriving.shift()!;
      if (chunk === null) this.#ended = true;
      this.#wanted = this.push(chunk);
      done();
    }
  }
}
