export { restoreHome, type RestoredHome, type RestoreHomeOptions } from "./backup/restore-home.ts";
export { parseServerConfig, type ServerConfig } from "./config.ts";
export { createServerLog } from "./server-log.ts";
export { startServer, type SamovarServer, type ServerOptions } from "./server.ts";
export type { HomePaths } from "./home/paths.ts";
