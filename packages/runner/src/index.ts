export { bundleRunner, runnerEntryPath } from "./bundle-runner.ts";
export { keptRunner } from "./kept-runner.ts";
export { createWorkerRuntime, scopes, type Scope } from "./scope.ts";
export { createWorker, type Worker, type WorkerIdentity, type WorkerOptions } from "./worker.ts";
export type { WorkerState } from "./worker-state.ts";
