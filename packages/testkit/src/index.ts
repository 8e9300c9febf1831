export { needDebianPackage } from "./debian-packages.ts";
export { describeDriver, type DriverSetting, type DriverUnderTest } from "./driver-conformance.ts";
export { failOnLeaks, findLeaks, findProcesses, isRunning, openHandles, type LeakScope } from "./leak-check.ts";
export { playProbe, probeFile } from "./driver-probe.ts";
