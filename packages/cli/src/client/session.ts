import { CONTENT_TYPES, SamovarError, type SessionEvent, type SessionRequest, type StopReason } from "@samovar/protocol";
import { Emitter } from "@samovar/kit";
import { toConnectionError, type HttpClient } from "./http-client.ts";
import { readNdjson } from "./ndjson.ts";

/**
 * A session as its client holds it: an HTTP answer that stays open. What was deployed into it lives as long.
 *
 * States: open → (close: the server drains, then ends the answer) → ended; or open → (hangUp, or the server went)
 * → ended.
 */
export interface Session {
  readonly id: string;
  /** Everything after `opened`. Events that came before the first listener are kept for it. */
  on(listener: (event: SessionEvent) => void): () => void;
  /** Settles when the session is over: with why it closed, or rejects when the connection broke. Never unhandled. */
  readonly ended: Promise<StopReason | null>;
  /** Asks for the graceful end, and resolves when all of it is gone. Inputs may run on for `drainMs`; stop hooks see the reason. */
  close(drainMs: number, reason: StopReason): Promise<void>;
  /** Ends it at once, without waiting for anything. */
  hangUp(): void;
}

export async function openSession(http: HttpClient, api: string, request: SessionRequest, signal?: AbortSignal): Promise<Session> {
  const hangUp = new AbortController();
  // Only while it opens: an interrupt later must not break the session, it has to drain.
  const onAbort = (): void => hangUp.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  signal?.throwIfAborted();
  const { body } = await http.send({
    method: "POST",
    path: `${api}/sessions`,
    body: JSON.stringify(request),
    headers: { "content-type": CONTENT_TYPES.json, accept: CONTENT_TYPES.ndjson },
    signal: hangUp.signal,
  });
  const events = readNdjson<SessionEvent>(body);
  const first = await events.next().catch((error: unknown) => {
    throw hangUp.signal.aborted ? hangUp.signal.reason : toConnectionError(error, http.url);
  });
  signal?.removeEventListener("abort", onAbort);
  if (first.done || first.value.type !== "opened") {
    body.destroy();
    throw new SamovarError("server_unreachable", `The server at ${http.url} ended the session before it began`);
  }

  const id = first.value.sessionId;
  const emitter = new Emitter<SessionEvent>();
  let early: SessionEvent[] | null = [];
  const read = async (): Promise<StopReason | null> => {
    let reason: StopReason | null = null;
    try {
      for await (const event of events) {
        if (event.type === "closing") reason = event.reason;
        if (early) early.push(event);
        else emitter.emit(event);
      }
    } catch (error) {
      if (!hangUp.signal.aborted && reason === null) throw toConnectionError(error, http.url);
    }
    return reason;
  };
  const ended = read();
  ended.catch(() => {});

  return {
    id,
    ended,
    on(listener) {
      const off = emitter.on(listener);
      const kept = early ?? [];
      early = null;
      for (const event of kept) emitter.emit(event);
      return off;
    },
    async close(drainMs, reason) {
      await http.json({ method: "DELETE", path: `${api}/sessions/${id}?drain=${drainMs}ms&reason=${reason}` });
      await ended;
    },
    hangUp() {
      hangUp.abort();
      body.destroy();
    },
  };
}
