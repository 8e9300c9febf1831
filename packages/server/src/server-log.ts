import { pino } from "pino";
import type { Logger } from "@samovar/kit";
import type { ServerConfig } from "./config.ts";

/** What waits for room on a disk that is full; more is dropped. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** The server's own log: JSON lines on stderr. */
export function createServerLog(level: ServerConfig["logLevel"]): Logger {
  const destination = pino.destination({ fd: 2, sync: true, maxLength: MAX_WAITING_BYTES });
  // A log that can't be written is no reason to end: lines wait for the next one that can.
  destination.on("error", () => {});
  // Parts log what they caught as `error`: without this an Error would be an empty object.
  return pino({ level, base: { pid: process.pid }, serializers: { error: pino.stdSerializers.err } }, destination);
}
