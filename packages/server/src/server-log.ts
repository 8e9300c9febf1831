import { pino } from "pino";
import type { Logger } from "@samovar/kit";
import type { ServerConfig } from "./config.ts";

/** The server's own log: JSON lines on stderr. */
export function createServerLog(level: ServerConfig["logLevel"]): Logger {
  return pino({ level, base: { pid: process.pid } }, pino.destination({ fd: 2, sync: true }));
}
