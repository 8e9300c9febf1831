/**
 * The life of a worker. Every change of it is one row here; an event that has no row is late or repeated and does
 * nothing.
 */
export type WorkerState = "connecting" | "loading" | "starting" | "ready" | "draining" | "stopping" | "ended";

export type WorkerEvent =
  /** LOAD came. */
  | "load"
  /** The module is imported and the instance made. */
  | "loaded"
  /** The last start hook returned. */
  | "started"
  /** Build or deploy hooks ran. */
  | "finished"
  /** Load or a hook of build, deploy or start failed. */
  | "failed"
  /** A signal, or the server is gone: what is held may end first. */
  | "drain"
  /** STOP, or nothing is held after `drain`. */
  | "stop"
  /** Stop hooks ran, or were given up. */
  | "stopped";

const TRANSITIONS: Readonly<Record<WorkerState, Partial<Record<WorkerEvent, WorkerState>>>> = {
  connecting: { load: "loading", stop: "stopping" },
  loading: { loaded: "starting", failed: "ended", stop: "stopping" },
  starting: { started: "ready", finished: "ended", failed: "ended", stop: "stopping" },
  ready: { drain: "draining", stop: "stopping" },
  draining: { stop: "stopping" },
  stopping: { stopped: "ended" },
  ended: {},
};

/** The next state; undefined when the event means nothing in this one. */
export function nextState(state: WorkerState, event: WorkerEvent): WorkerState | undefined {
  return TRANSITIONS[state][event];
}
