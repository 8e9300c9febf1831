import { readFileSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { toLargeFolder, toLargeSize } from "./large-file-name.ts";

const TABLES = [
  ["task_inputs", "input"],
  ["task_results", "result"],
] as const;

/**
 * Makes a copy of a database whole by itself: what lies in the files of the original goes into its rows. The copy is
 * another database from then on, with a folder of its own. Gives the names of files that are lost; their tasks say so when
 * they are read.
 */
export function embedLargeFiles(copy: string, original: string): string[] {
  const database = new DatabaseSync(copy);
  try {
    database.exec("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL");
    const { folder } = database.prepare("SELECT folder FROM large_files").get() as { readonly folder: string };
    const from = toLargeFolder(original, folder);
    const lost: string[] = [];
    for (const [table, column] of TABLES) {
      const rows = database.prepare(`SELECT task, file FROM ${table} INDEXED BY ${table}_in_files WHERE file IS NOT NULL`).all();
      const embed = database.prepare(`UPDATE ${table} SET ${column} = ?, file = NULL WHERE task = ?`);
      for (const { task, file } of rows as unknown as readonly { readonly task: number; readonly file: string }[]) {
        const bytes = readWhole(path.join(from, file), toLargeSize(file));
        if (bytes) embed.run(bytes, task);
        else lost.push(file);
      }
    }
    database.exec("UPDATE large_files SET folder = lower(hex(randomblob(8)))");
    return lost;
  } finally {
    database.close();
  }
}

function readWhole(file: string, size: number): Uint8Array | undefined {
  try {
    const bytes = readFileSync(file);
    return bytes.length === size ? bytes : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
