import type { SamovarError } from "@samovar/protocol";
import type { InputRequest, InputSink, InputTicket } from "./input.ts";

/** Where inputs come from that wait outside a pool: it takes one whenever a worker has room. */
export interface InputSource {
  /** How many could be taken, as far as that is known. */
  readonly waiting: number;
  /** Others become ready in a moment, by the end of what has just run. */
  readonly expectsMore: boolean;
  /** On the monotonic clock: since when the next one could be taken. Only where there is one. */
  readonly waitsSinceMs: number;
  /** The next one; null when there is none after all. */
  take(): SourcedInput | null;
  /** Starts fail, and there will be no other: what waits, waits in vain. */
  startFailed(error: SamovarError): void;
  /** The pool closes, and takes no more. */
  detached(): void;
  /** No pool could be made for it, and now one can. */
  wake(): void;
}

/** One input of a source. Its pool never tries again by itself. */
export interface SourcedInput {
  readonly request: InputRequest;
  readonly sink: InputSink;
  /** Of this attempt: 1 for the first. */
  readonly attempt: number;
  /** Called before anything else is. */
  given(ticket: InputTicket): void;
  /** Once it was given: no handler works on it any more, because that has settled or its worker is gone. Before its answer, or long after (timeout, drain). */
  released(): void;
}
