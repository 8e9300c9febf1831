import { open, stat, type FileHandle } from "node:fs/promises";
import type { LogLine } from "@samovar/protocol";

/** Read first from a file's end: enough for what it is about and for a few lines. The next pieces are larger. */
const FIRST_PIECE_BYTES = 8 * 1024;
const PIECE_BYTES = 256 * 1024;

/** A file as it is at one moment: what is appended later, and other files that later have its name, are not of it. */
export interface LogFileState {
  readonly path: string;
  readonly sizeBytes: number;
  /** When it was last written to: no line in it is younger. */
  readonly modifiedAtMs: number;
  /** Which file it is, whatever it is called later. */
  readonly identity: string;
}

/** Null when there is no such file. */
export async function logFileState(path: string): Promise<LogFileState | null> {
  try {
    const found = await stat(path);
    return { path, sizeBytes: found.size, modifiedAtMs: found.mtimeMs, identity: identityOf(found) };
  } catch {
    return null;
  }
}

/**
 * The lines of a file from its end on, piece by piece, each piece oldest first: whoever needs few of them reads few.
 * Of lines that don't have `mentioning` somewhere nothing comes. `names` are where the file may be by now; nothing when it
 * is gone.
 */
export async function* readBackwards(state: LogFileState, names: readonly string[], mentioning: string): AsyncGenerator<LogLine[]> {
  const file = await openSame(state, names);
  if (!file) return;
  try {
    // What a later piece began with: the rest of a line that begins further to the front.
    let rest: Buffer = Buffer.alloc(0);
    let pieceBytes = FIRST_PIECE_BYTES;
    for (let end = state.sizeBytes; end > 0;) {
      const start = Math.max(0, end - pieceBytes);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
      const piece = Buffer.concat([buffer.subarray(0, bytesRead), rest]);
      const whole = start === 0 ? 0 : piece.indexOf("\n") + 1;
      rest = whole === 0 ? piece : piece.subarray(0, whole);
      if (whole > 0 || start === 0) yield parseLines(piece.toString("utf8", whole), mentioning);
      end = start;
      pieceBytes = PIECE_BYTES;
    }
  } finally {
    await file.close();
  }
}

function parseLines(text: string, mentioning: string): LogLine[] {
  const lines = text.split("\n").filter((line) => line !== "" && line.includes(mentioning));
  return lines.flatMap((line) => {
    try {
      return [JSON.parse(line) as LogLine];
    } catch {
      // It was cut, as by a server that was killed while it wrote.
      return [];
    }
  });
}

async function openSame(state: LogFileState, names: readonly string[]): Promise<FileHandle | null> {
  for (const path of names) {
    const file = await open(path).catch(() => null);
    if (file && identityOf(await file.stat()) === state.identity) return file;
    await file?.close();
  }
  return null;
}

/** An inode's number alone is soon given to another file. */
const identityOf = ({ ino, birthtimeMs }: { readonly ino: number; readonly birthtimeMs: number }): string => `${ino}-${birthtimeMs}`;
