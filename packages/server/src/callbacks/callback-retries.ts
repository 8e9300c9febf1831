import type { CallbackOutcome } from "@samovar/storage";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** How long after each failure the next try comes: twelve tries in not quite three days. */
const DELAYS_MS: readonly number[] = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, 12 * HOUR, 12 * HOUR, 12 * HOUR, 12 * HOUR, 12 * HOUR];

export const MAX_CALLBACK_ATTEMPTS = DELAYS_MS.length + 1;

/** What a try came to. */
export type CallbackAnswer =
  | { readonly kind: "answered"; readonly status: number; readonly retryAfter: string | null; readonly location: string | null; readonly text: string }
  | { readonly kind: "unanswered"; readonly error: string; readonly isFinal: boolean };

/** What becomes of a callback after a try. `random` is in [0, 1). */
export function decideCallback(answer: CallbackAnswer, attempt: number, nowMs: number, random: number): CallbackOutcome {
  if (answer.kind === "answered" && answer.status >= 200 && answer.status < 300) return { kind: "delivered", atMs: nowMs };
  const error = describeAnswer(answer);
  const delay = DELAYS_MS[attempt - 1];
  // 410: the receiver says that it will never take it.
  const isFinal = answer.kind === "answered" ? answer.status === 410 : answer.isFinal;
  if (isFinal || delay === undefined) return { kind: "failed", atMs: nowMs, error };
  // A fifth to either side, so that those who failed together don't come back together.
  const jittered = Math.round(delay * (0.8 + random * 0.4));
  const asked = answer.kind === "answered" ? parseRetryAfter(answer.retryAfter, nowMs) : 0;
  const longest = DELAYS_MS[attempt] ?? delay;
  return { kind: "again", dueAtMs: nowMs + Math.max(jittered, Math.min(asked, longest)), error };
}

/** Seconds, or a date; 0 for anything else. */
function parseRetryAfter(value: string | null, nowMs: number): number {
  if (value === null) return 0;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value.trim()) * SECOND;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? 0 : Math.max(0, atMs - nowMs);
}

function describeAnswer(answer: CallbackAnswer): string {
  if (answer.kind === "unanswered") return toLine(answer.error);
  const { status } = answer;
  if (status >= 300 && status < 400 && answer.location !== null)
    return `${status}: redirects are not followed (to ${toLine(answer.location)}): give the URL that it leads to`;
  const text = toLine(answer.text);
  return text === "" ? String(status) : `${status}: ${text}`;
}

const MAX_ERROR_CHARS = 300;

/** A stranger's text, as one line that can be shown in a terminal. */
function toLine(text: string): string {
  const line = text
    .slice(0, 2 * MAX_ERROR_CHARS)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ")
    .trim();
  return line.length > MAX_ERROR_CHARS ? `${line.slice(0, MAX_ERROR_CHARS).toWellFormed()}…` : line;
}
