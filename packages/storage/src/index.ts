export { openSqliteStorage, type SqliteStorage, type SqliteStorageOptions } from "./sqlite-storage.ts";
export * from "./callback-store.ts";
export * from "./schedule-store.ts";
export * from "./callback-store.ts";
export * from "./schedule-store.ts";
export * from "./storage.ts";
export * from "./task-store.ts";
