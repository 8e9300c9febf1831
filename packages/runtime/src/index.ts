export * from "./driver.ts";
export { createConnectedPair, type ConnectedPair } from "./connected-pair.ts";
export type { FakeContainerControl, FakeProcess, FakeWorkerControl, RunWorker } from "./fake-container.ts";
export type { ContainerNetwork, ContainerNetworks } from "./network/container-network.ts";
export { createContainerNetworks, type ContainerNetworksOptions } from "./network/create-container-networks.ts";
export { createFakeDriver, type FakeCall, type FakeDriver, type FakeDriverOptions, type FakeStartScript } from "./fake-driver.ts";
export { createDriver, type DriverKind, type DriverOptions } from "./create-driver.ts";
export { createProcessDriver, type ProcessDriverOptions } from "./process-driver.ts";
export { createOciDriver, type OciDriverOptions } from "./oci/oci-driver.ts";
