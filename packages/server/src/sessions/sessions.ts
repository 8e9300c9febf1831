import {
  KIND_SEGMENTS,
  SamovarError,
  describeNameProblem,
  type AppRequest,
  type AppResponse,
  type ContainerInfo,
  type LogLine,
  type SessionEvent,
  type SessionId,
  type SessionRequest,
  type StopReason,
} from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import type { SessionHold } from "@samovar/scheduler";
import type { AppMaker } from "../apps/app-maker.ts";
import type { FunctionRegistry } from "../apps/function-registry.ts";
import type { ServingMode } from "../apps/made-function.ts";
import type { Serving } from "../tasks/serving.ts";
import type { Session } from "./session.ts";

export interface SessionsOptions {
  readonly registry: FunctionRegistry;
  readonly maker: AppMaker;
  readonly serving: Serving;
  readonly clock: Clock;
  readonly newSessionId: () => SessionId;
  readonly url: () => string;
  /** The last session ended. */
  readonly onLast: () => void;
}

/** Reload and an ended session give running inputs this long. */
const SESSION_DRAIN_MS = 10_000;
/** Activity is told at most this often: it only has to be finer than idle minutes. */
const ACTIVITY_EVERY_MS = 1_000;

/** All sessions: opens them, gives them their app, ends them. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, Session>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#sessions.size;
  }

  open(request: SessionRequest, listener: (event: SessionEvent) => void): SessionHold {
    const session: Session = {
      id: this.#options.newSessionId(),
      request,
      emit: listener,
      functions: [],
      release() {},
      leaving: new Set(),
      functionIds: new Set(),
      version: 0,
      deployed: { key: null, values: new Map() },
      closing: null,
      abort: new AbortController(),
      turn: Promise.resolve(),
    };
    this.#sessions.set(session.id, session);
    listener({ type: "opened", sessionId: session.id });
    return { sessionId: session.id, close: () => void this.close(session.id, "interrupt", 0) };
  }

  /** The next version of the session's app; one after another when several are asked for at once. */
  async putApp(sessionId: string, request: AppRequest): Promise<AppResponse> {
    const session = this.#find(sessionId);
    const put = session.turn.then(() => this.#put(session, request));
    session.turn = put.catch(() => {});
    return put;
  }

  async #put(session: Session, request: AppRequest): Promise<AppResponse> {
    const { registry } = this.#options;
    this.#assertOpen(session);
    for (const { name } of request.manifest.functions) {
      const problem = describeNameProblem(name);
      if (problem) throw new SamovarError("invalid_definition", problem);
    }
    const routed = session.request.kind === "serve";
    const names = routed ? request.manifest.functions.map(({ name }) => `${name}-dev`) : [];
    const unreserve = registry.reserve(names, session.functions, session.request.label);
    try {
      return await this.#replace(session, request, routed);
    } finally {
      unreserve();
    }
  }

  /** Makes the next version and puts it in the place of the last one. */
  async #replace(session: Session, request: AppRequest, routed: boolean): Promise<AppResponse> {
    const { registry, maker, clock } = this.#options;
    const version = session.version + 1;
    const made = await maker.make({
      request,
      publicName: ({ name }) => (routed ? `${name}-dev` : name),
      versionOf: () => version,
      siblings: {},
      development: true,
      known: session.deployed,
      named: (functionIds) => functionIds.forEach((functionId) => session.functionIds.add(functionId)),
      emit: session.emit,
      signal: session.abort.signal,
    });
    if (session.closing) made.release();
    this.#assertOpen(session);
    let toldMs = -Infinity;
    const onUse = (): void => {
      const nowMs = clock.now();
      if (nowMs - toldMs < ACTIVITY_EVERY_MS) return;
      toldMs = nowMs;
      session.emit({ type: "activity", atMs: nowMs });
    };
    const { functions: old, release: releaseOld } = session;
    const mode: ServingMode = {
      session: session.request.label,
      queuePrefix: `${session.id}/`,
      // Their callers see stacks.
      development: true,
      // `run` fails at the first; `serve` waits for an edit.
      startPolicy: { failuresUntilFailing: 1, retries: false, failsTasks: session.request.kind === "run" },
      keepsFloor: session.request.kind !== "run",
    };
    const next = made.functions.map((one) => maker.create(one, mode, onUse));
    registry.replace(old, next, routed);
    // Ticks are for what is served: a run calls what it wants called.
    for (const entry of next) this.#options.serving.began(entry, { ticks: routed });
    for (const entry of old) if (!next.some(({ queue }) => queue === entry.queue)) void this.#options.serving.ended(entry);
    session.functions = next;
    session.release = () => made.release();
    session.version = version;
    session.deployed = made.deployed;
    const left = old.map(async (entry) => {
      const successor = next.find((candidate) => candidate.name === entry.name && candidate.manifest.kind === entry.manifest.kind) ?? null;
      session.leaving.add(entry);
      await entry.close("reload", SESSION_DRAIN_MS, successor);
      session.leaving.delete(entry);
    });
    void Promise.all(left).then(releaseOld);
    const url = this.#options.url();
    return {
      app: request.manifest.app,
      functions: next.map((entry) => ({
        name: entry.name,
        kind: entry.manifest.kind,
        version: entry.version,
        id: entry.functionId,
        url: `${url}/${KIND_SEGMENTS[entry.manifest.kind]}/${routed ? entry.name : `id/${entry.functionId}`}`,
      })),
    };
  }

  close(sessionId: string, reason: StopReason, drainMs: number): Promise<void> {
    const session = this.#sessions.get(sessionId);
    if (!session) return Promise.resolve();
    // A second call may only make it quicker.
    if (session.closing && drainMs === 0) void this.#end(session, reason, 0);
    session.closing ??= this.#close(session, reason, drainMs);
    return session.closing;
  }

  async #close(session: Session, reason: StopReason, drainMs: number): Promise<void> {
    session.emit({ type: "closing", reason });
    session.abort.abort(new SamovarError("cancelled", "The session ended"));
    for (const entry of session.functions) this.#options.serving.rests(entry);
    await this.#end(session, reason, drainMs);
    await Promise.all(session.functions.map((entry) => this.#options.serving.ended(entry)));
    session.release();
    this.#options.registry.replace(session.functions, [], false);
    this.#sessions.delete(session.id);
    if (this.#sessions.size === 0) this.#options.onLast();
  }

  async #end(session: Session, reason: StopReason, drainMs: number): Promise<void> {
    await session.turn;
    await Promise.all([...session.functions, ...session.leaving].map((entry) => entry.close(reason, drainMs)));
  }

  async closeAll(reason: StopReason, drainMs: number): Promise<void> {
    await Promise.all([...this.#sessions.keys()].map((id) => this.close(id, reason, drainMs)));
  }

  /** Sessions hear of what concerns their own functions. */
  logged(line: LogLine, functionId: string): void {
    this.#of(functionId)?.emit({ type: "log", line });
  }

  containerChanged(container: ContainerInfo): void {
    this.#of(container.functionId)?.emit({ type: "container", container });
  }

  #of(functionId: string): Session | undefined {
    for (const session of this.#sessions.values()) if (session.functionIds.has(functionId)) return session;
    return undefined;
  }

  #find(sessionId: string): Session {
    const session = this.#sessions.get(sessionId);
    if (!session) throw new SamovarError("not_found", `No session ${sessionId}: it ended, or never was`);
    return session;
  }

  #assertOpen(session: Session): void {
    if (session.closing) throw new SamovarError("cancelled", "The session ended meanwhile");
  }
}
