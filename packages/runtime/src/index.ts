export * from "./driver.ts";
export { createConnectedPair, type ConnectedPair } from "./connected-pair.ts";
export type { FakeContainerControl, FakeProcess, FakeWorkerControl, RunWorker } from "./fake-container.ts";
export { createFakeDriver, type FakeCall, type FakeDriver, type FakeDriverOptions, type FakeStartScript } from "./fake-driver.ts";
export { createProcessDriver, type ProcessDriverOptions } from "./process-driver.ts";
