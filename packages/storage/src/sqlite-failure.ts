import type { Failure } from "./operations.ts";

const SQLITE_FULL = 13;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
const SQLITE_CONSTRAINT = 19;

/** An operation that SQLite could do and we don't: it fails alone, with these words. */
export class Refusal extends Error {
  readonly code: "conflict" | "not_found";

  constructor(code: "conflict" | "not_found", message: string) {
    super(message);
    this.code = code;
  }
}

/** What went wrong, in words that name the file and what to do. Extended codes carry the plain one in their low byte. */
export function toFailure(file: string, error: unknown): Failure {
  if (error instanceof Refusal) return { code: error.code, message: error.message };
  const reason = error instanceof Error ? error.message : String(error);
  const code = typeof error === "object" && error !== null && "errcode" in error ? Number(error.errcode) & 0xff : 0;
  switch (code) {
    case SQLITE_CONSTRAINT:
      return { code: "conflict", message: `A row like it is there already: ${reason}` };
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return damaged(file, reason);
    case SQLITE_FULL:
      return { code: "storage_failed", message: `The disk of ${file} is full, free some space: ${reason}` };
    default:
      return { code: "storage_failed", message: `${file} could not be read or written: ${reason}` };
  }
}

export function damaged(file: string, reason: string): Failure {
  return { code: "storage_failed", message: `${file} is damaged and was left as it is, put a copy in its place or move it away to start empty: ${reason}` };
}
