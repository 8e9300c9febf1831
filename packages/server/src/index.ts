export { restoreHome, type RestoredHome, type RestoreHomeOptions } from "./backup/restore-home.ts";
export { parseServerConfig, type ServerConfig } from "./config.ts";
export { createServerLog } from "./server-log.ts";
export type { SamovarServer } from "./running-server.ts";
export { startServer, type ServerOptions } from "./server.ts";
export type { HomePaths } from "./home/paths.ts";
