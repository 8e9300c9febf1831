/**
 * The states of containers and workers and the events that move them: every transition stands here. An event that a
 * state does not list is stale and changes nothing.
 *
 * Container: `starting` until all its workers are ready; `returning`, in its place, where an earlier server started it and
 * its workers are awaited; `ready` takes inputs; `draining` takes none and waits for what it holds; `stopping` runs stop
 * hooks; `ended` is over and nothing is left of it.
 */
export type ContainerState = "starting" | "returning" | "ready" | "draining" | "stopping" | "ended";
export type ContainerEvent = "all-ready" | "drain" | "stop" | "gone";

export const CONTAINER_TRANSITIONS: Readonly<Record<ContainerState, Partial<Record<ContainerEvent, ContainerState>>>> = {
  starting: { "all-ready": "ready", drain: "draining", stop: "stopping", gone: "ended" },
  returning: { "all-ready": "ready", drain: "draining", stop: "stopping", gone: "ended" },
  ready: { drain: "draining", stop: "stopping", gone: "ended" },
  draining: { stop: "stopping", gone: "ended" },
  stopping: { gone: "ended" },
  ended: {},
};

/**
 * Worker: `starting` from fork to READY; `ready` takes inputs; `retiring` finishes what it holds and is replaced;
 * `stopping` runs stop hooks; `gone` has no process any more (and is started again where its container goes on).
 */
export type WorkerState = "starting" | "ready" | "retiring" | "stopping" | "gone";
export type WorkerEvent = "ready" | "retire" | "stop" | "gone" | "respawn";

export const WORKER_TRANSITIONS: Readonly<Record<WorkerState, Partial<Record<WorkerEvent, WorkerState>>>> = {
  starting: { ready: "ready", stop: "stopping", gone: "gone" },
  ready: { retire: "retiring", stop: "stopping", gone: "gone" },
  retiring: { stop: "stopping", gone: "gone" },
  stopping: { gone: "gone" },
  gone: { respawn: "starting" },
};

/** The state after an event, or undefined where the event is stale. */
export function nextContainerState(state: ContainerState, event: ContainerEvent): ContainerState | undefined {
  return CONTAINER_TRANSITIONS[state][event];
}

export function nextWorkerState(state: WorkerState, event: WorkerEvent): WorkerState | undefined {
  return WORKER_TRANSITIONS[state][event];
}
