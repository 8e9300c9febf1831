import { pino } from "pino";
import type { Logger } from "@samovar/kit";
import type { ServerConfig } from "./config.ts";

/** The server's own log: JSON lines on stderr. */
export function createServerLog(level: ServerConfig["logLevel"]): Logger {
  // Parts log what they caught as `error`: without this an Error would be an empty object.
  return pino({ level, base: { pid: process.pid }, serializers: { error: pino.stdSerializers.err } }, pino.destination({ fd: 2, sync: true }));
}
