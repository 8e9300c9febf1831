/** `0.4 ms`, `31 ms`, `1.25 s`, `3 min`, `2 h`, `5 d`: three figures at most, so that a column of them can be read. */
export function formatDuration(ms: number): string {
  const value = Math.max(0, ms);
  if (value < 10) return `${trim(value, 1)} ms`;
  if (value < 999.5) return `${Math.round(value)} ms`;
  if (value < 59_950) return `${trim(value / 1_000, value < 9_995 ? 2 : 1)} s`;
  if (value < 3_570_000) return `${Math.round(value / 60_000)} min`;
  if (value < 84_600_000) return `${trim(value / 3_600_000, 1)} h`;
  return `${Math.round(value / 86_400_000)} d`;
}

const trim = (value: number, digits: number): string => String(Number(value.toFixed(digits)));

/** `12:03:04.123`, local time. */
export function formatTime(atMs: number): string {
  const date = new Date(atMs);
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** `2026-11-22 12:03:04`, local time or that of a zone. */
export function formatDateTime(atMs: number, timezone?: string): string {
  return new Intl.DateTimeFormat("sv-SE", {
    dateStyle: "short",
    timeStyle: "medium",
    ...(timezone === undefined ? {} : { timeZone: timezone }),
  }).format(atMs);
}

/** `in 3 min`, `2 h ago`, `now`. */
export function formatDistance(atMs: number, nowMs: number): string {
  if (atMs === nowMs) return "now";
  return atMs > nowMs ? `in ${formatDuration(atMs - nowMs)}` : `${formatDuration(nowMs - atMs)} ago`;
}

/** `812 bytes`, `1.2 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let at = 0;
  while (value >= 1_024 && at < units.length - 1) {
    value /= 1_024;
    at++;
  }
  return `${at === 0 ? value : trim(value, value < 10 ? 1 : 0)} ${units[at]}`;
}
