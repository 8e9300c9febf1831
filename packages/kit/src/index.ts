export * from "./clock.ts";
export * from "./dispose.ts";
export * from "./emitter.ts";
export * from "./fake-clock.ts";
export * from "./logger.ts";
export * from "./retry-delay.ts";
export * from "./safe-path.ts";
