import { show, type LogSource } from "@samovar/protocol";
import type { LogLevel, ScopeLog } from "./scope.ts";

/** `ctx.log`: lines that belong to its hook or input, also when written after an await or from elsewhere. */
export class UserLog {
  readonly #log: ScopeLog;
  readonly #source: LogSource;

  constructor(log: ScopeLog, source: LogSource) {
    this.#log = log;
    this.#source = source;
  }

  debug(message: unknown, fields?: object): void {
    this.#write("debug", message, fields);
  }

  info(message: unknown, fields?: object): void {
    this.#write("info", message, fields);
  }

  warn(message: unknown, fields?: object): void {
    this.#write("warn", message, fields);
  }

  error(message: unknown, fields?: object): void {
    this.#write("error", message, fields);
  }

  #write(level: LogLevel, message: unknown, fields: object | undefined): void {
    const text = typeof message === "string" ? message : message instanceof Error ? (message.stack ?? String(message)) : show(message);
    this.#log.line(this.#source, level, fields === undefined ? text : `${text} ${toFieldText(fields)}`);
  }
}

/** Fields may hold anything; what JSON can't take must not make logging throw. */
function toFieldText(fields: object): string {
  try {
    return (
      JSON.stringify(fields, (_, value: unknown) =>
        typeof value === "bigint" ? `${value}` : value instanceof Error ? { name: value.name, message: value.message } : value,
      ) ?? ""
    );
  } catch {
    return "[fields that JSON can't show]";
  }
}
