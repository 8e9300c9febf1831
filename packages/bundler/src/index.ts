export * from "./app-bundler.ts";
export * from "./bundle.ts";
export * from "./project.ts";
export * from "./code-object.ts";
export * from "./collect-files.ts";
export { HashCache, type HashedFile } from "./hash-cache.ts";
export * from "./app-host.ts";
export type { TransportSettings } from "./app-host-messages.ts";
export * from "./type-check.ts";
