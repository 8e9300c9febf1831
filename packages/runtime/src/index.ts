export * from "./driver.ts";
export { createProcessDriver, type ProcessDriverOptions } from "./process-driver.ts";
