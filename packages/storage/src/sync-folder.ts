import { open } from "node:fs/promises";

/** A new name in a folder is on disk when the folder is. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
