/** What one look at the machine came to. */
export interface Finding {
  readonly title: string;
  /** `missing`: it works, with less. `problem`: nothing works until it is mended. */
  readonly status: "ok" | "missing" | "problem";
  readonly detail: string;
  /** What mends it, as a command where one does. */
  readonly fix: string | null;
}

export const ok = (title: string, detail: string): Finding => ({ title, status: "ok", detail, fix: null });
export const missing = (title: string, detail: string, fix: string | null = null): Finding => ({ title, status: "missing", detail, fix });
export const problem = (title: string, detail: string, fix: string): Finding => ({ title, status: "problem", detail, fix });

/** Where what helps begins, in a sentence of a driver: after a colon. */
const HELP = /^(.+?[^:]): ((?:(?:run|start|use|leave|allow|mount|get|turn|set|switch|install|sudo|apt-get|sysctl|iptables)\b|`).*)$/i;

/** A driver's sentence of what is missing, its help taken apart where it has one. */
export function toMissing(title: string, sentence: string): Finding {
  const [, detail, fix] = HELP.exec(sentence) ?? [];
  return detail === undefined ? missing(title, sentence) : missing(title, detail, fix);
}

/** A command that only root may give, as this user gives it. */
export const asRoot = (uid: number | null, command: string): string => (uid === 0 ? command : `sudo ${command}`);
