import { createRequire } from "node:module";

/** The version of this server, from its package. */
export const SERVER_VERSION: string = (createRequire(import.meta.url)("../package.json") as { version: string }).version;
