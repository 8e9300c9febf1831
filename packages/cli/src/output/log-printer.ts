import type { LogLine } from "@samovar/protocol";
import { colorOfName, type Colors } from "./colors.ts";
import { formatTime } from "./durations.ts";

/**
 * `[name] text`, for a hook `[name onStart] text`. With `time`, the local time stands before it. Lines that a
 * program wrote to stderr, and errors, are red; what Samovar itself says is dim.
 */
export function renderLogLine(line: LogLine, colors: Colors, options: { readonly time?: boolean } = {}): string {
  const origin = line.source.kind === "hook" ? `${line.function} ${line.source.hook}` : line.function;
  const tag = colors[colorOfName(line.function)](`[${origin}]`);
  const time = options.time ? `${colors.dim(formatTime(line.atMs))} ` : "";
  const text = line.text.replace(/[\r\n]+$/, "");
  const shown =
    line.level === "error" || line.stream === "stderr"
      ? colors.red(text)
      : line.level === "warn"
        ? colors.yellow(text)
        : line.source.kind === "system"
          ? colors.dim(text)
          : text;
  return `${time}${tag} ${shown}\n`;
}
